"""Take the picture of the demo in docs/demo.md, by a headless Chromium.

    bash tools/quickstart.sh --methods tanet
    python benchmarks/demo_picture.py CONFIG CHECKPOINT VIDEO results/demo.png

The labels are those of the motion clips. It needs gradio, playwright and Chromium.
"""

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from mmtemporal.datasets import CLASS_NAMES

DEMO = Path(__file__).resolve().parents[1] / 'tools' / 'demo.py'
WIDTH, HEIGHT = 1100, 1340


def take(url: str, video: Path, colours: str) -> bytes:
    options = ('--no-sandbox', '--disable-gpu')
    browser = next(filter(None, map(shutil.which, ('chromium', 'google-chrome'))), None)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=options)
        page = opened.new_page(
            viewport=dict(width=WIDTH, height=HEIGHT), color_scheme=colours
        )
        page.goto(url)
        page.locator('input[type=file]').set_input_files(video)
        page.locator('.mmt-all img').first.wait_for()
        page.wait_for_timeout(1000)  # animations
        return page.screenshot()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ('config', 'checkpoint', 'video', 'out'):
        parser.add_argument(name, type=Path)
    parser.add_argument('--colours', choices=['light', 'dark'], default='light')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / 'names.txt'
        names.write_text('\n'.join(CLASS_NAMES))
        demo = subprocess.Popen(
            [
                *(sys.executable, DEMO, args.config, args.checkpoint, '--port=0'),
                *('--label-map', names, '--examples', args.video.parent),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            picture = take(demo.stdout.readline().split()[1], args.video, args.colours)
        finally:
            demo.terminate()
            demo.wait()
    Image.open(io.BytesIO(picture)).convert('RGB').save(args.out, optimize=True)


if __name__ == '__main__':
    main()
