"""The one look of all figures."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

# The colours of Okabe and Ito, which the colour-blind tell apart.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
GREY = '#555555'
SEQUENTIAL = 'viridis'
DIVERGING = 'RdBu_r'
# Extent of a scale where all values are the same.
MINIMUM = 1e-3
# Inches of a row of distributions.
ROW = 2.0


def style() -> AbstractContextManager:
    """Set sizes and lines of what is drawn within the context."""
    return rc_context(
        {
            'font.size': 9,
            'axes.titlesize': 9,
            'axes.labelsize': 9,
            'figure.titlesize': 11,
            'axes.spines.top': False,
            'axes.spines.right': False,
            'legend.frameon': False,
            'savefig.dpi': 150,
            'savefig.bbox': 'tight',
            'image.interpolation': 'nearest',
        }
    )


def new_figure(title: str, width: float, height: float) -> Figure:
    """Make a figure that no window belongs to."""
    figure = Figure((width, height), layout='compressed')
    figure.suptitle(title)
    return figure


def show_strip(axis: Axes, frames: np.ndarray, **kwargs: Any) -> ScalarMappable:
    """Draw frames or heat maps (t, h, w, ...) in a row, frame i at position i.

    Args:
        axis: Where.
        frames: Frames, uint8 or floats from 0 to 1, or heat maps.
        **kwargs: Arguments of ``imshow``.
    """
    t, h, w = frames.shape[:3]
    for i, frame in enumerate(frames, 1):
        image = axis.imshow(
            frame, extent=(i - 0.48, i + 0.48, 0, 0.96 * h / w), **kwargs
        )
    axis.set(xlim=(0.5, t + 0.5), ylim=(0, 0.96 * h / w), xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    return image


def show_matrix(
    axis: Axes, matrix: np.ndarray, norm: Normalize, cmap: str
) -> ScalarMappable:
    """Draw a matrix whose columns are frames, counted from one."""
    rows, columns = matrix.shape
    extent = (0.5, columns + 0.5, rows + 0.5, 0.5)
    image = axis.imshow(matrix, norm=norm, cmap=cmap, extent=extent, aspect='auto')
    axis.set_xticks(frame_ticks(columns, 8))
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    return image


def frame_size(t: int) -> float:
    """Return the width of a frame in inches, smaller from 17 frames on."""
    return 0.85 * min(1, 16 / t)


def align(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Stack rows of frames; those of layers that see fewer frames are stretched."""
    t = max(map(len, rows))
    return np.array([row[np.arange(t) * len(row) // t] for row in rows])


def frame_ticks(t: int, maximum: int = 16) -> list[int]:
    """Return the numbers of frames to be written: all, or every second, ..."""
    return [*range(1, t + 1, -(-t // maximum))]


def row_label(axis: Axes, text: str) -> None:
    """Write what a row shows to the left of it."""
    axis.set_ylabel(text, rotation=0, ha='right', va='center')


def around(
    neutral: float, values: Iterable[np.ndarray], share: float = 100
) -> Normalize:
    """Return a scale with a neutral value in its middle.

    Args:
        neutral: That value.
        values: What the scale is for.
        share: Percentage of the values that it holds; the rest has its end colours.
    """
    distances = np.abs(np.concatenate([np.ravel(v) for v in values]) - neutral)
    reach = max(float(np.percentile(distances, share)), MINIMUM)
    return Normalize(neutral - reach, neutral + reach)


def from_zero(values: Iterable[np.ndarray]) -> Normalize:
    """Return a scale from zero to the maximum."""
    return Normalize(0, max(MINIMUM, *(float(value.max()) for value in values)))


def violins(axis: Axes, data: Sequence[np.ndarray], positions: Sequence[int]) -> None:
    """Draw distributions, with their minimum, median and maximum."""
    parts: Any = axis.violinplot(data, positions, widths=0.8, showmedians=True)
    for body in parts['bodies']:
        body.set(facecolor=COLOURS[0], alpha=0.35)
    for name in ('cmins', 'cmaxes', 'cbars', 'cmedians'):
        parts[name].set(color=COLOURS[0], linewidth=1)
    parts['cmedians'].set(color=COLOURS[1], linewidth=2)
