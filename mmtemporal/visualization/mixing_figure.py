"""The figure of the matrices by which layers mix frames."""

from typing import Optional

import numpy as np
from matplotlib.figure import Figure

from .clip import Clip, collect
from .style import (
    DIVERGING,
    SEQUENTIAL,
    around,
    frame_ticks,
    from_zero,
    new_figure,
    show_matrix,
)

# More runs of channels than these, such as single channels, are averaged.
MAX_GROUPS = 8


def draw_mixing(clips: list[Clip], layers: Optional[list[str]]) -> Optional[Figure]:
    """Draw the matrices, a layer a column.

    Rows are the groups of channels that move together, as means over the clips; or,
    where every channel has its own matrix, the clips, as means over the channels.
    """
    found = collect(clips, 'matrix', layers, stages=4)
    if not found:
        return None
    rows, columns, of_what = _arrange(found, [clip.title for clip in clips])
    figure = new_figure(
        f'Which frames each frame is made of ({of_what})',
        1.9 * len(columns) + 1.5,
        2 * len(rows) + 1,
    )
    # With two paths, or pooling over frames, layers see different numbers of them.
    same = len({column[0].shape for column in columns}) == 1
    axes = figure.subplots(
        len(rows), len(columns), squeeze=False, sharex=same, sharey=same
    )
    every = [matrix for column in columns for matrix in column]
    if min(matrix.min() for matrix in every) < 0:
        norm, cmap = around(0, every), DIVERGING
    else:
        norm, cmap = from_zero(every), SEQUENTIAL
    for index, (label, column) in enumerate(zip(found, columns)):
        axes[0, index].set_title(label)
        for axis, matrix in zip(axes[:, index], column):
            image = show_matrix(axis, matrix, norm, cmap)
            axis.set(aspect='equal', yticks=frame_ticks(len(matrix), 8))
    for axis, text in zip(axes[:, 0], rows):
        axis.set_ylabel(f'{text}\noutput frame')
    for axis in axes[-1]:
        axis.set_xlabel('input frame')
    figure.colorbar(image, ax=axes, label='weight')
    return figure


def _arrange(found: dict[str, list[np.ndarray]], titles: list[str]) -> tuple:
    """Return names of rows, columns of matrices, and what these are means of."""
    if max(len(values[0]) for values in found.values()) <= MAX_GROUPS:
        columns = [np.mean(values, 0) for values in found.values()]
        rows = [f'group {i + 1}' for i in range(len(columns[0]))]
        return rows, columns, 'mean of the clips'
    columns = [[value.mean(0) for value in values] for values in found.values()]
    same = all(np.array_equal(c[0], matrix) for c in columns for matrix in c)
    if same and len(titles) > 1:
        titles, columns = ['every clip'], [column[:1] for column in columns]
    return titles, columns, 'mean of the channels'
