r"""Export a trained recognizer to a file that runs without mmtemporal.

    python tools/export.py CONFIG CHECKPOINT --out model.onnx --check video.mp4

The number of views in a batch is free; frames and size are those of test_pipeline
unless --frames and --size change them. Before the file gets its name it must give
the scores that PyTorch gives: for random views, and for all views of the videos of
--check. How test_pipeline prepares a video is inside, as JSON; a pipeline that cannot
be written down is refused.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Optional

from mmengine import Config, DictAction
from torch import nn

from mmtemporal.checkpoints.files import check_target
from mmtemporal.checkpoints.fit import load_trained
from mmtemporal.datasets.class_names import read_class_names
from mmtemporal.datasets.input_shape import input_shape
from mmtemporal.datasets.pipeline_options import check_pipeline_options
from mmtemporal.export import (
    FORMATS,
    VARIANTS,
    ClipScores,
    View,
    change_frames,
    change_size,
    view_of,
)
from mmtemporal.export.comparison import (
    Outcome,
    Sample,
    compare,
    demand_equality,
    noise_sample,
    read_views,
    run_all,
    video_sample,
    with_averaging,
)
from mmtemporal.export.files import OPSET
from mmtemporal.export.variants import write_static_int8
from mmtemporal.models import fuse_for_inference


def parse_args(arguments: Optional[list] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('config', type=Path, help='config of the recognizer')
    add('checkpoint', type=Path, help='its trained weights')
    add('--format', choices=FORMATS, default='onnx', help='default: onnx')
    add('--out', type=Path, required=True, help='file to write')
    add(
        '--check',
        type=Path,
        nargs='+',
        default=[],
        metavar='VIDEO',
        help='compare on all views of these videos, or folders of frames, too',
    )
    add(
        '--normalise',
        action='store_true',
        help='take pixels (uint8) and normalise them inside',
    )
    add('--frames', type=int, help='num_segments, or frames of a 3-D clip')
    add('--size', type=int, help='height and width of the frames in pixels')
    add('--label-map', type=Path, help='names of the classes, one in each line')
    for name, what in (('fp16', 'half precision'), ('int8', 'eight bits')):
        add(
            f'--{name}',
            action='store_true',
            help=f'write a second ONNX file with {what} and say how much it differs',
        )
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='changes to the config',
    )
    add('--force', action='store_true', help='replace files')
    add(
        '--allow-pickle',
        action='store_true',
        help='run code that the checkpoint names; only for files that you trust',
    )
    add(
        '--calibrate',
        type=Path,
        nargs='+',
        default=[],
        metavar='VIDEO',
        help='with --int8, take the scales of feature maps from these videos, or '
        'folders of frames, once and for all: faster; some dozens of each kind will do',
    )
    args = parser.parse_args(arguments)
    args.variants = [name for name in VARIANTS if getattr(args, name)]
    if args.variants and args.format != 'onnx':
        parser.error(f'--{args.variants[0]} needs --format onnx')
    if args.calibrate and not args.int8:
        parser.error('--calibrate needs --int8')
    for name in ('frames', 'size'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name} {value}: give 1 or more')
    suffix = args.out.suffix
    if suffix in {x.suffix for x in FORMATS.values()} - {FORMATS[args.format].suffix}:
        parser.error(f'--out {args.out} is no name for --format {args.format}')
    return args


def all_changes(args: argparse.Namespace) -> dict:
    """Return --cfg-options with what --frames and --size mean."""
    try:
        cfg = Config.fromfile(args.config)
        given = Config(cfg.to_dict())
        cfg.merge_from_dict(args.cfg_options)
    except Exception as error:  # a config is a program
        raise ValueError(f'cannot read {args.config}: {error!r}') from error
    check_pipeline_options(given, args.cfg_options)
    view_of(cfg)  # says what is wrong with the config, if anything
    changes = dict(args.cfg_options)
    if args.frames:
        changes.update(change_frames(cfg, args.frames))
        if 'model.backbone.fusion' in changes:
            print(
                'kept the fusion weights of the training: model.backbone.fusion='
                f'{changes["model.backbone.fusion"]}'
            )
    if args.size:
        changes.update(change_size(cfg, args.size))
    return changes


def writers(args: argparse.Namespace, model: nn.Module) -> dict[str, Callable]:
    """Return what writes each variant, given the ONNX file and a name."""
    found = {name: VARIANTS[name] for name in args.variants}
    if args.calibrate:
        missing = [str(video) for video in args.calibrate if not video.exists()]
        if missing:
            raise ValueError(f'{missing[0]} is no file, and no folder of frames')
        views = (
            view[None]
            for video in args.calibrate
            for view in read_views(model, video, args.normalise)
        )
        found['int8'] = partial(write_static_int8, views=views)
    return found


def megabytes(file: Path) -> str:
    return f'{file.stat().st_size / 1e6:.1f} MB'


def export(args: argparse.Namespace) -> None:
    targets = {'': args.out}
    targets.update({v: args.out.with_suffix(f'.{v}.onnx') for v in args.variants})
    for target in targets.values():
        check_target(target, args.force)
    model = load_trained(
        args.config, args.checkpoint, all_changes(args), args.allow_pickle
    )
    classes = None
    if args.label_map:
        classes = read_class_names(args.label_map, model.cls_head.num_classes)
    view = view_of(model.cfg, args.normalise, classes)
    variants = writers(args, model)
    shape = input_shape(model.cfg)
    reference = ClipScores(model, shape, args.normalise)
    noise = noise_sample(reference, view)
    view = with_averaging(reference, view, noise.frames)
    groups = {'random views': [noise]}
    if args.check:
        videos = [video_sample(model, video, args.normalise) for video in args.check]
        groups['the videos'] = videos
    network = ClipScores(fuse_for_inference(model), shape, args.normalise).eval()
    kind = FORMATS[args.format]
    print(f'exporting to {args.format}; this can take minutes', flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.out.parent, prefix='.export-') as folder:
        files = {name: Path(folder) / target.name for name, target in targets.items()}
        # With two views, because exporters take a size of one for a constant.
        kind.write(network, noise.frames[:2], view, files[''])
        outcomes = {'': run_all(kind.open(files['']), groups)}
        demand_equality(outcomes[''])
        for name, write in variants.items():
            write(files[''], files[name])
            outcomes[name] = run_all(kind.open(files[name]), groups)
        for name, file in files.items():
            file.replace(targets[name])
    describe(args, view, noise, targets, outcomes)


def describe(
    args: argparse.Namespace,
    view: View,
    sample: Sample,
    targets: dict[str, Path],
    outcomes: dict[str, dict[str, list[Outcome]]],
) -> None:
    opset = f', opset {OPSET}' if args.format == 'onnx' else ''
    pixels = 'normalised RGB' if view.mean else 'RGB pixels'
    dtype = str(sample.frames.dtype).removeprefix('torch.')
    size = ', '.join(map(str, view.shape))
    print(f'input: frames (batch, {size}), {dtype}, {pixels}')
    print(f'output: scores (batch, {sample.scores.size(1)}), before the softmax')
    if view.views > 1:
        when = 'after' if view.average_clips == 'prob' else 'before'
        print(
            f'test_pipeline makes {view.views} views of a video; their scores are '
            f'averaged {when} the softmax'
        )
    for name, target in targets.items():
        print(f'wrote {target}: {megabytes(target)}{opset}')
        for group, found in outcomes[name].items():
            print(f'  on {group} it differs from PyTorch {compare(found)}')


def main(arguments: Optional[list] = None) -> None:
    args = parse_args(arguments)
    try:
        export(args)
    except (ValueError, OSError, ImportError) as error:
        raise SystemExit(f'error: {" ".join(str(error).split())}') from None


if __name__ == '__main__':
    main()
