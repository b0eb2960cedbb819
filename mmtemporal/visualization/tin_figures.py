"""The figure of temporal interlacing.

Paper: Temporal Interlacing Network (AAAI 2020), https://arxiv.org/abs/2001.06499,
Figure 5
"""

from typing import Optional

import numpy as np
from matplotlib.figure import Figure

from .clip import Clip, collect, recorded_by
from .style import (
    COLOURS,
    DIVERGING,
    GREY,
    align,
    around,
    new_figure,
    show_matrix,
)


def draw_interlacing(
    clips: list[Clip], layers: Optional[list[str]]
) -> Optional[Figure]:
    """Draw offsets and weights of all layers, as means over the clips."""
    offsets = collect(clips, 'offset', layers)
    if not offsets:
        return None
    weights = collect(clips, 'weight', layers)
    figure = new_figure(
        f'{recorded_by(clips, "offset")}: where groups of channels go, and how much '
        f'frames count ({_clips(len(clips))})',
        11,
        1.8 + 0.24 * len(offsets),
    )
    left, right = figure.subplots(1, 2, sharey=True)
    rows = range(1, len(offsets) + 1)
    # (layers, clips, groups)
    values = np.array([*offsets.values()])
    for i, colour in zip(range(values.shape[2]), COLOURS * values.shape[2]):
        group = values[..., i]
        left.plot(group, rows, '.', color=colour, markersize=4, alpha=0.35)
        left.plot(group.mean(1), rows, '-o', color=colour, label=f'group {i + 1}')
    left.axvline(0, color=GREY, linewidth=1)
    left.set(
        title='offset of each learnable group', xlabel='frames, later ones to the right'
    )
    left.legend(loc='best')
    left.set_yticks(rows, [*offsets])

    # (layers, t): mean over clips and groups
    means = align([np.mean(value, (0, 1)) for value in weights.values()])
    image = show_matrix(right, means, around(1, [means]), DIVERGING)
    right.set(title='weight of each frame after the move', xlabel='frame')
    figure.colorbar(image, ax=right, label='mean weight')
    return figure


def _clips(number: int) -> str:
    return f'mean of {number} clips' if number > 1 else 'one clip'
