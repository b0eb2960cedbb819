"""Convert a checkpoint of the authors, the zoo or an image network for mmtemporal.

What SRC is, is recognised by the names of its tensors. A trained network is renamed
as a whole. An image network, or a ResNet, TSN or TSM of MMAction2, initialises the
backbone of CONFIG, to be given as load_from or as backbone.pretrained.
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
from mmtemporal.checkpoints.convert import convert, find_tensors
from mmtemporal.checkpoints.files import check_target, read_checkpoint, write_checkpoint
from mmtemporal.checkpoints.fit import build_model, load_strictly
from mmtemporal.checkpoints.formats import FORMATS, PRETRAINED, Format, recognise
from mmtemporal.checkpoints.load import initialise_backbone
from mmtemporal.checkpoints.report import Report, compare, summarise
from mmtemporal.checkpoints.segments import resize_segments

SOURCES = (
    *('auto', 'authors', 'zoo', 'mmaction2'),
    *('torchvision', 'timm', 'facebook', 'mmpretrain'),
    *('openai', 'open_clip', 'transformers'),
)
SEED = 0


def parse_args(arguments: Optional[list] = None) -> argparse.Namespace:
    known = '\n'.join(f'  {kind.name}' for kind in (*FORMATS, *PRETRAINED))
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
    parser.add_argument(
        '--num-segments',
        type=int,
        metavar='T',
        help='make the checkpoint of a TANet or TIN one for T frames, see '
        'docs/checkpoints.md',
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
    if args.num_segments is not None and args.num_segments < 1:
        parser.error('--num-segments is a number of frames')
    return args


def convert_file(args: argparse.Namespace) -> Table:
    """Write DST and return what to tell about it."""
    check_target(args.dst, args.force)
    table = Table(title=f'{args.src.name} -> {args.dst.name}', show_header=False)
    tensors = find_tensors(read_checkpoint(args.src, args.allow_pickle))
    kind = recognise(tensors, (*FORMATS, *PRETRAINED))
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
            result = initialise_from_network(args, tensors, model, table)
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
    if args.num_segments and kind not in FORMATS:
        raise ValueError(f'--num-segments is for a TANet or TIN; it is {kind.name}')
    if kind in PRETRAINED and not kind.rename and not args.config:
        raise ValueError(
            f'it is {kind.name}; give by --config whose backbone it shall initialise'
        )


def convert_trained(
    args: argparse.Namespace, tensors: dict, model: Optional[nn.Module], table: Table
) -> dict:
    order = read_class_order(*args.class_order) if args.class_order else None
    conversion = convert(tensors, order)
    result, report = conversion.tensors, conversion.report
    if args.num_segments:
        own = model.state_dict() if model else None
        report.resized = resize_segments(result, args.num_segments, own)
        if not report.resized:
            raise ValueError(
                f'no tensor of {conversion.format.name} has to be resized for '
                f'--num-segments {args.num_segments}; leave it out'
            )
    add_report(table, report)
    for new, old in conversion.old_names.items():
        if new != old:
            table.add_row('for instance', f'{old} is {new}')
            break
    if order:
        moved = sum(new != old for new, old in enumerate(order))
        table.add_row('class order', f'{moved} of {len(order)} classes moved')
    if model is None:
        table.add_row('checked', 'no: --config names the network that must take it')
    else:
        load_strictly(model, result)
        table.add_row('checked', f'loaded strictly into the model of {args.config}')
    return result


def add_report(table: Table, report: Report) -> None:
    table.add_row('loaded', f'{len(report.loaded)} tensors')
    for done, names in report.changes().items():
        table.add_row(done, summarise(names))


def keep_resnet(tensors: dict, kind: Format, table: Table) -> dict:
    """Return a ResNet as all backbones on one load it."""
    names = {name: kind.rename(name) for name in tensors}
    skipped = [name for name in names if names[name] is None]
    kept = [name for name in names if names[name] is not None]
    add_report(table, Report(loaded=kept, skipped=skipped))
    table.add_row('checked', 'no: --config names the network that it shall initialise')
    return {names[name]: tensors[name] for name in kept}


def initialise_from_network(
    args: argparse.Namespace, tensors: dict, model: nn.Module, table: Table
) -> dict:
    backbone = model.backbone
    table.add_row('backbone', f'{type(backbone).__name__} of {args.config}')
    others = {k for k in tensors if k.startswith(('cls_head.', 'data_preprocessor.'))}
    kept = {name: x for name, x in tensors.items() if name not in others}
    add_report(table, initialise_backbone(backbone, kept, args.src.name))
    table.add_row('seed', f'{SEED}, for what is newly initialised')
    result = {f'backbone.{name}': x for name, x in backbone.state_dict().items()}
    return {**result, **take_classifier(tensors, model, table)}


def take_classifier(tensors: dict, model: nn.Module, table: Table) -> dict:
    """Return the classifier of a recognizer if it is that of the model."""
    theirs = {k: x for k, x in tensors.items() if k.startswith('cls_head.')}
    own = {k: x for k, x in model.state_dict().items() if k.startswith('cls_head.')}
    if not theirs:
        return {}
    report = compare(own, theirs)
    if report.faults():
        table.add_row('classifier', f'skipped: {report.faults()}')
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
