"""Pictures and videos as parts of a page."""

import base64
import io
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmtemporal.datasets.video_writing import write_video
from mmtemporal.visualization.style import COLOURS, new_figure, style

# Text and lines of figures, by the colour scheme of the page.
INK = dict(light='#1f2328', dark='#d7dce2')
TEXT = ('text.color', 'axes.labelcolor', 'axes.edgecolor', 'xtick.color', 'ytick.color')
# Twice as fine as it is shown, for screens of high resolution.
DPI = 200
PIXELS_PER_INCH = 100
GREY = '#888888'
# VP9, which every browser plays and every build of OpenCV from PyPI writes.
CODEC = 'vp09'
# The clips last a second; at half the speed the eye can follow.
FRAMES_PER_SECOND = 12
# Enlarged before it is encoded, as codecs blur colours over pairs of pixels.
SCALE = 5


def picture(draw: Callable[[], Figure], text: str) -> str:
    """Return an element with a figure in the colour scheme of the page.

    Args:
        draw: Makes the figure.
        text: What it shows.
    """
    dark, light = (_png(draw, INK[scheme], clear=True) for scheme in ('dark', 'light'))
    # The width stands in the header of the file.
    width = int.from_bytes(light[16:20], 'big') * PIXELS_PER_INCH // DPI
    return (
        '<picture><source media="(prefers-color-scheme: dark)" '
        f'srcset="{_data("image/png", dark)}">'
        f'<img src="{_data("image/png", light)}" width="{width}" alt="{escape(text)}">'
        '</picture>'
    )


def save(draw: Callable[[], Figure], path: Path) -> Path:
    """Write a figure as PNG and return its path."""
    path.write_bytes(_png(draw, INK['light'], clear=False))
    return path


def _png(draw: Callable[[], Figure], ink: str, clear: bool) -> bytes:
    buffer = io.BytesIO()
    colours: Any = dict.fromkeys(TEXT, ink)
    with style(), rc_context(colours):
        draw().savefig(buffer, format='png', dpi=DPI, transparent=clear)
    return buffer.getvalue()


Curves = dict[str, tuple[list, list]]
"""By method: (epoch, loss) and (epoch, top-1) points."""


def draw_curves(curves: Curves, *plots: Callable[[Axes, Curves], None]) -> Figure:
    """Draw learning curves side by side: ``plot_loss``, ``plot_top1``."""
    figure = new_figure('', 4.4 * len(plots), 3)
    for axis, plot in zip(figure.subplots(1, len(plots), squeeze=False)[0], plots):
        plot(axis, curves)
        axis.set(xlabel='epoch', xlim=(0, None))
        axis.xaxis.get_major_locator().set_params(integer=True)
    return figure


def plot_loss(axis: Axes, curves: Curves) -> None:
    """Plot the loss of the training."""
    for colour, (name, (losses, _)) in zip(COLOURS, curves.items()):
        axis.plot(*zip(*losses), color=colour, label=name)
    axis.margins(y=0.15)
    axis.set(title='loss of training', ylim=(0, None))
    axis.legend(loc='upper right')


def plot_top1(axis: Axes, curves: Curves) -> None:
    """Plot the top-1 of the validation, in the colours of the losses."""
    for colour, (name, (_, accuracies)) in zip(COLOURS, curves.items()):
        axis.plot(*zip(*accuracies), 'o-', color=colour, label=name)
    axis.set(title='top-1 of validation', ylim=(0, 1.03))
    axis.yaxis.set_major_formatter('{x:.0%}')
    axis.axhline(0.5, color=GREY, linestyle=':', linewidth=1)
    axis.annotate(
        'ceiling without order',
        (0, 0.5),
        xycoords=('axes fraction', 'data'),
        xytext=(3, 3),
        textcoords='offset points',
        color=GREY,
        fontsize=8,
    )


def video(path: Path, text: str) -> str:
    """Return an element that plays a small video, enlarged and over and over.

    Raises:
        RuntimeError: If this build of OpenCV cannot write such videos.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, 'clip.mp4')
        write_video(file, _read_enlarged(path), CODEC, FRAMES_PER_SECOND)
        content = file.read_bytes()
    return (
        f'<video src="{_data("video/mp4", content)}" aria-label="{escape(text)}" '
        'controls loop muted autoplay playsinline></video>'
    )


def _read_enlarged(path: Path) -> np.ndarray:
    capture = cv2.VideoCapture(str(path))
    frames = np.stack([frame for _, frame in iter(capture.read, (False, None))])
    return frames.repeat(SCALE, 1).repeat(SCALE, 2)


def _data(kind: str, content: bytes) -> str:
    return f'data:{kind};base64,{base64.b64encode(content).decode()}'
