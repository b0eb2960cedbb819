r"""Look at a trained network in a browser on this machine.

    python tools/demo.py CONFIG CHECKPOINT --examples data/motion_clips/val

Opens a page that other machines do not reach. A video that is dropped there is read by
the test_pipeline of the config; the page shows the scores, Grad-CAM, what the temporal
layers do, and the time it took. It needs gradio: pip install "mmtemporal[demo]".
See docs/demo.md.
"""

import argparse
from html import escape
from pathlib import Path
from typing import Optional

from torch import nn

from mmtemporal.demo.recognition import Viewer
from mmtemporal.demo.server import check_installed, listen, serve
from mmtemporal.visualization.command_line import (
    add_model_arguments,
    load_class_names,
    load_model,
)

VIDEOS = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm')


def parse_args(arguments: Optional[list] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_model_arguments(parser)
    parser.add_argument(
        '--examples', type=Path, metavar='DIR', help='folder whose videos are listed'
    )
    parser.add_argument(
        '--port', type=int, default=7860, help='of 127.0.0.1 (default: 7860; 0: any)'
    )
    return parser.parse_args(arguments)


def find_examples(folder: Optional[Path]) -> list[Path]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise ValueError(f'--examples {folder} is no folder')
    videos = [path for path in folder.iterdir() if path.suffix.lower() in VIDEOS]
    if not videos:
        raise ValueError(
            f'--examples {folder} has no videos; expected files ending in '
            f'{", ".join(VIDEOS)}'
        )
    return sorted(path for path in videos if not path.name.startswith('.'))


def describe(args: argparse.Namespace, model: nn.Module) -> str:
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    return (
        '<div class="mmt"><h2>What does the network see?</h2>'
        f'<p class="fine">{escape(type(model.backbone).__name__)} of '
        f'{escape(args.checkpoint.name)} with {escape(args.config.name)}, '
        f'{millions:.1f} million parameters, on {escape(args.device)}. '
        'Videos stay on this machine.</p></div>'
    )


def run(args: argparse.Namespace) -> None:
    check_installed()
    examples = find_examples(args.examples)
    listener = listen(args.port)
    model = load_model(args)
    viewer = Viewer(model, load_class_names(args, model), args.cam_layer)
    about = describe(args, model)

    def build() -> object:
        from mmtemporal.demo.page import build_page

        return build_page(viewer, about, examples)

    serve(listener, build)


def main(arguments: Optional[list] = None) -> None:
    args = parse_args(arguments)
    try:
        run(args)
    except (ValueError, OSError) as error:
        raise SystemExit(f'error: {" ".join(str(error).split())}') from None


if __name__ == '__main__':
    main()
