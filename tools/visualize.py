r"""Draw what the temporal layers of a trained network do with videos.

    python tools/visualize.py CONFIG CHECKPOINT --video a.mp4 b.mp4 --out pictures

Which figures there are, and how to read them: docs/visualisation.md. Each is written as
PNG and PDF. Videos, or folders of frames, are read by the test_pipeline of the config.
"""

import argparse
from pathlib import Path
from typing import Optional

from mmtemporal.visualization.clip import look_at
from mmtemporal.visualization.command_line import (
    add_model_arguments,
    load_class_names,
    load_model,
)
from mmtemporal.visualization.figures import draw_cam, draw_figures, save_figures


def parse_args(arguments: Optional[list] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_model_arguments(parser)
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
    parser.add_argument('--force', action='store_true', help='replace existing files')
    return parser.parse_args(arguments)


def run(args: argparse.Namespace) -> None:
    model = load_model(args)
    names = load_class_names(args, model)
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
