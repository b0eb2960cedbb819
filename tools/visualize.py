r"""Draw what the temporal layers of a trained network do with videos.

    python tools/visualize.py CONFIG CHECKPOINT --video a.mp4 b.mp4 --out pictures

Which figures there are, and how to read them: docs/visualisation.md. Each is written
as PNG and PDF. Videos, or folders of frames, are read by the test_pipeline of the
config.
"""

import argparse
from pathlib import Path
from typing import Optional

from mmengine import Config, DictAction
from torch import nn

from mmtemporal.checkpoints.fit import load_trained
from mmtemporal.datasets.class_names import read_class_names
from mmtemporal.datasets.pipeline_options import check_pipeline_options
from mmtemporal.visualization.clip import look_at
from mmtemporal.visualization.figures import draw_cam, draw_figures, save_figures


def parse_args(arguments: Optional[list] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', type=Path, metavar='CONFIG')
    parser.add_argument('checkpoint', type=Path, metavar='CHECKPOINT')
    parser.add_argument(
        '--video',
        nargs='+',
        type=Path,
        required=True,
        metavar='FILE',
        help='videos or folders of frames, which are compared',
    )
    parser.add_argument(
        '--out', type=Path, required=True, metavar='DIR', help='folder of the figures'
    )
    parser.add_argument(
        '--layers',
        nargs='+',
        metavar='NAME',
        help='layers, or modules around them, such as layer3.1 (default: the last of '
        'each stage, or all where the figure is over layers)',
    )
    parser.add_argument(
        '--cam-layer',
        metavar='NAME',
        help='module at which Grad-CAM looks (default: the last that gives maps)',
    )
    parser.add_argument(
        '--label-map',
        type=Path,
        metavar='FILE',
        help='names of the classes, one a line',
    )
    parser.add_argument('--device', default='cpu', help='cpu (default), cuda:0, ...')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='changes to the config',
    )
    parser.add_argument(
        '--allow-pickle',
        action='store_true',
        help='run code that the checkpoint names; only for files that you trust',
    )
    parser.add_argument('--force', action='store_true', help='replace existing files')
    return parser.parse_args(arguments)


def load_model(args: argparse.Namespace) -> nn.Module:
    model = load_trained(
        args.config, args.checkpoint, args.cfg_options, args.allow_pickle
    )
    check_pipeline_options(Config.fromfile(args.config), args.cfg_options or {})
    try:
        return model.to(args.device)
    except (AssertionError, RuntimeError) as error:
        raise ValueError(f'--device {args.device}: {error}') from error


def run(args: argparse.Namespace) -> None:
    model = load_model(args)
    names = None
    if args.label_map:
        names = read_class_names(args.label_map, model.cls_head.num_classes)
    clips = []
    for video in args.video:
        clips.append(look_at(model, video, names))
        if clips[-1].views > 1:
            print(f'{video}: {clips[-1].views} views in testing, drawn is the first')
    figures = draw_figures(clips, args.layers)
    try:
        figures['grad_cam'] = draw_cam(model, clips, args.cam_layer)
    except ValueError as error:
        if args.cam_layer:
            raise
        print(f'not drawn: {error}, by --cam-layer')
    for path in save_figures(figures, args.out, args.force):
        print(f'wrote {path}')


def main(arguments: Optional[list] = None) -> None:
    args = parse_args(arguments)
    try:
        run(args)
    except (ValueError, OSError) as error:
        raise SystemExit(f'error: {" ".join(str(error).split())}') from None


if __name__ == '__main__':
    main()
