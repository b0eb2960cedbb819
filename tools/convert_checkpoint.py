"""Converts a checkpoint of the authors, the zoo or an image network for mmtemporal.

What SRC is, is recognised by the names of its tensors. A trained network is renamed
as a whole. An image network, or a ResNet, TSN or TSM of MMAction2, becomes a start: the
backbone of CONFIG with its weights, to be given as load_from or as
backbone.pretrained.
"""

import argparse
from pathlib import Path
from typing import Optional

import torch
from mmengine import DictAction
from rich.console import Console
from rich.table import Table
from torch import nn

from mmtemporal import __version__
from mmtemporal.checkpoints.class_order import read_class_order
from mmtemporal.checkpoints.compare import compare
from mmtemporal.checkpoints.convert import (
    FORMATS,
    Format,
    convert,
    find_tensors,
    recognise,
    shorten,
)
from mmtemporal.checkpoints.files import check_target, read_checkpoint, write_checkpoint
from mmtemporal.checkpoints.fit import build_model, load_strictly
from mmtemporal.checkpoints.starts import STARTS, start_backbone

SOURCES = (
    *('auto', 'authors', 'zoo', 'mmaction2'),
    *('torchvision', 'timm', 'facebook', 'mmpretrain'),
)
SEED = 0


def parse_args(arguments: Optional[list] = None) -> argparse.Namespace:
    known = '\n'.join(f'  {kind.name}' for kind in (*FORMATS, *STARTS))
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f'known are:\n{known}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('src', type=Path, metavar='SRC', help='file to convert')
    parser.add_argument('dst', type=Path, metavar='DST', help='file to write')
    parser.add_argument(
        '--from',
        dest='source',
        choices=SOURCES,
        default='auto',
        help='whose file it must be (default: auto, any)',
    )
    parser.add_argument(
        '--config',
        type=Path,
        help='config whose model must take all tensors; needed for image networks',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='changes to the config, such as model.cls_head.num_classes=174',
    )
    parser.add_argument(
        '--class-order',
        nargs='+',
        type=Path,
        metavar=('OURS', 'THEIRS'),
        help='put the classes into the order of the file OURS, a name in each line. '
        'THEIRS is the order of SRC, by default the same names sorted. For '
        'Something-Something V1, see docs/checkpoints.md',
    )
    parser.add_argument('--force', action='store_true', help='replace DST')
    parser.add_argument(
        '--allow-pickle',
        action='store_true',
        help='run the code that SRC asks for, if it is not only tensors: it can do '
        'whatever you can',
    )
    args = parser.parse_args(arguments)
    if args.class_order and len(args.class_order) > 2:
        parser.error('--class-order takes one or two files')
    if args.cfg_options and not args.config:
        parser.error('--cfg-options changes the config, give --config')
    return args


def convert_file(args: argparse.Namespace) -> Table:
    """Writes DST and returns what to tell about it."""
    check_target(args.dst, args.force)
    table = Table(title=f'{args.src.name} -> {args.dst.name}', show_header=False)
    tensors = find_tensors(read_checkpoint(args.src, args.allow_pickle))
    kind = recognise(tensors, (*FORMATS, *STARTS))
    check_source(args, kind)
    table.add_row('is', kind.name)
    # Some layers draw their weights when they are built.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = build_model(args.config, args.cfg_options) if args.config else None
        if kind in FORMATS:
            result = convert_trained(args, tensors, model, table)
        elif model is None:
            result = keep_resnet(tensors, kind, table)
        else:
            result = start_from_network(args, tensors, model, table)
    meta = dict(
        converted_from=args.src.name,
        format=kind.name,
        class_order=' '.join(map(str, args.class_order or ())),
        mmtemporal_version=__version__,
    )
    if model is not None:
        meta['cfg'] = model.cfg.pretty_text
    write_checkpoint(args.dst, dict(meta=meta, state_dict=result), args.force)
    return table


def check_source(args: argparse.Namespace, kind: Format) -> None:
    if args.source not in ('auto', *kind.sources):
        fitting = ' or '.join((*kind.sources, 'auto'))
        raise ValueError(f'--from {args.source}, but it is {kind.name}: {fitting}')
    if args.class_order and 'authors' not in kind.sources:
        raise ValueError(
            f'--class-order is for networks of the authors; it is {kind.name}'
        )
    if kind in STARTS and not kind.rename and not args.config:
        raise ValueError(
            f'it is {kind.name}; give by --config whose backbone shall start from it'
        )


def convert_trained(
    args: argparse.Namespace, tensors: dict, model: Optional[nn.Module], table: Table
) -> dict:
    order = read_class_order(*args.class_order) if args.class_order else None
    conversion = convert(tensors, order)
    table.add_row('loaded', f'{len(conversion.tensors)} tensors')
    for new, old in conversion.old_names.items():
        if new != old:
            table.add_row('for instance', f'{old} is {new}')
            break
    for title in ('reshaped', 'folded', 'skipped'):
        names = getattr(conversion, title)
        table.add_row(title.replace('_', ' '), shorten(names) if names else '0')
    if order:
        moved = sum(new != old for new, old in enumerate(order))
        table.add_row('class order', f'{moved} of {len(order)} classes moved')
    if model is None:
        table.add_row('checked', 'no: --config names the network that must take it')
    else:
        load_strictly(model, conversion.tensors)
        table.add_row('checked', f'loaded strictly into the model of {args.config}')
    return conversion.tensors


def keep_resnet(tensors: dict, kind: Format, table: Table) -> dict:
    """Return a ResNet as all backbones on one load it."""
    names = {name: kind.rename(name) for name in tensors}
    skipped = [name for name in names if names[name] is None]
    table.add_row('loaded', f'{len(names) - len(skipped)} tensors')
    table.add_row('skipped', shorten(skipped) if skipped else '0')
    table.add_row('checked', 'no: --config names the network that shall start from it')
    return {new: tensors[name] for name, new in names.items() if new}


def start_from_network(
    args: argparse.Namespace, tensors: dict, model: nn.Module, table: Table
) -> dict:
    backbone = model.backbone
    report = start_backbone(backbone, tensors, args.src.name)
    table.add_row('backbone', f'{type(backbone).__name__} of {args.config}')
    table.add_row('its report', report)
    table.add_row('seed', f'{SEED}, for what is initialised')
    result = {f'backbone.{name}': x for name, x in backbone.state_dict().items()}
    return {**result, **take_classifier(tensors, model, table)}


def take_classifier(tensors: dict, model: nn.Module, table: Table) -> dict:
    """Return the classifier of a recognizer if it is that of the model."""
    theirs = {k: x for k, x in tensors.items() if k.startswith('cls_head.')}
    own = {k: x for k, x in model.state_dict().items() if k.startswith('cls_head.')}
    missing, unexpected, mismatched = compare(own, theirs)
    if not theirs:
        return {}
    if missing or unexpected or mismatched:
        table.add_row('classifier', f'skipped {shorten(mismatched or [*theirs])}')
        return {}
    table.add_row('classifier', f'loaded {len(theirs)} tensors')
    return theirs


def main(arguments: Optional[list] = None) -> None:
    args = parse_args(arguments)
    try:
        table = convert_file(args)
    except (ValueError, OSError) as error:
        raise SystemExit(f'error: {error}') from None
    # Names have brackets, which are not meant for rich.
    console = Console(markup=False, highlight=False)
    console.print(table)
    print(f'wrote {args.dst}')


if __name__ == '__main__':
    main()
