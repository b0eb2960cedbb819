"""Pictures and videos as parts of a page."""

import base64
import io
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path

import cv2
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from mmtemporal.visualization.style import COLOURS, new_figure, style

# Text and lines of figures, by the colour scheme of the page.
INK = dict(light='#1f2328', dark='#d7dce2')
TEXT = ('text.color', 'axes.labelcolor', 'axes.edgecolor', 'xtick.color', 'ytick.color')
# Every browser plays it, and every build of OpenCV from PyPI writes it.
CODEC = 'VP80'
# The clips last a second; at half the speed the eye can follow.
FRAMES_PER_SECOND = 12
# Enlarged before it is encoded, as codecs blur colours over pairs of pixels.
SCALE = 5


def both_schemes(draw: Callable[[], Figure]) -> dict[str, bytes]:
    """Draw a figure as PNG without a background, for light and dark pages."""
    return {scheme: _png(draw, ink, transparent=True) for scheme, ink in INK.items()}


def save(draw: Callable[[], Figure], path: Path) -> Path:
    """Write a figure as PNG and return its path."""
    path.write_bytes(_png(draw, INK['light'], transparent=False))
    return path


def _png(draw: Callable[[], Figure], ink: str, transparent: bool) -> bytes:
    buffer = io.BytesIO()
    with style(), rc_context(dict.fromkeys(TEXT, ink)):
        draw().savefig(buffer, format='png', transparent=transparent)
    return buffer.getvalue()


def picture(images: dict[str, bytes], text: str) -> str:
    """Return an element that shows the image of the page's colour scheme.

    Args:
        images: PNG files by the colour scheme.
        text: What they show.
    """
    return (
        '<picture><source media="(prefers-color-scheme: dark)" '
        f'srcset="{_data("image/png", images["dark"])}">'
        f'<img src="{_data("image/png", images["light"])}" alt="{escape(text)}">'
        '</picture>'
    )


def draw_curves(curves: dict[str, tuple[list, list]]) -> Figure:
    """Draw the learning curves of some networks.

    Args:
        curves: Of each, (epoch, loss) and (epoch, top-1) points.
    """
    figure = new_figure('', 8, 3)
    left, right = figure.subplots(1, 2)
    for colour, (name, (losses, accuracies)) in zip(COLOURS, curves.items()):
        left.plot(*zip(*losses), color=colour, label=name)
        right.plot(*zip(*accuracies), 'o-', color=colour, label=name)
    left.set(title='loss of training', xlabel='epoch', ylim=(0, None))
    right.set(title='top-1 of validation', xlabel='epoch', ylim=(0, 1.03))
    right.yaxis.set_major_formatter('{x:.0%}')
    right.axhline(0.5, color='#888888', linestyle=':', linewidth=1)
    right.annotate(
        'ceiling without order',
        (0, 0.5),
        xycoords=('axes fraction', 'data'),
        xytext=(3, 3),
        textcoords='offset points',
        color='#888888',
        fontsize=8,
    )
    for axis in (left, right):
        axis.set_xlim(0, None)
        axis.xaxis.get_major_locator().set_params(integer=True)
    right.legend(loc='lower right')
    return figure


def video(path: Path, text: str) -> str:
    """Return an element that plays a small video, enlarged and over and over.

    Raises:
        RuntimeError: If this build of OpenCV cannot write such videos.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, 'clip.webm')
        _write_webm(file, _read(path))
        content = file.read_bytes()
    return (
        f'<video src="{_data("video/webm", content)}" aria-label="{escape(text)}" '
        'controls loop muted autoplay playsinline></video>'
    )


def _read(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    return [frame for _, frame in iter(capture.read, (False, None))]


def _write_webm(path: Path, frames: list[np.ndarray]) -> None:
    large = [np.kron(f, np.ones((SCALE, SCALE, 1), f.dtype)) for f in frames]
    height, width = large[0].shape[:2]
    writer = cv2.VideoWriter(
        str(path),
        cv2.CAP_FFMPEG,
        cv2.VideoWriter_fourcc(*CODEC),
        FRAMES_PER_SECOND,
        (width, height),
    )
    if not writer.isOpened():
        raise RuntimeError(
            f'OpenCV {cv2.__version__} cannot write {CODEC} video for the report; '
            'install opencv-python-headless (or opencv-python) from PyPI'
        )
    for frame in large:
        writer.write(frame)
    writer.release()


def _data(kind: str, content: bytes) -> str:
    return f'data:{kind};base64,{base64.b64encode(content).decode()}'
