"""Figures of the temporal difference modules.

Paper: TDN: Temporal Difference Networks for Efficient Action Recognition
(CVPR 2021), https://arxiv.org/abs/2012.10071
"""

from typing import Optional

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from .clip import Clip, collect, recorded_by
from .style import (
    DIVERGING,
    SEQUENTIAL,
    align,
    around,
    frame_size,
    from_zero,
    new_figure,
    row_label,
    show_matrix,
    show_strip,
)


def draw_differences(
    clips: list[Clip], layers: Optional[list[str]]
) -> Optional[Figure]:
    """Draw for every clip its frames, what moves in them, and the gates over them."""
    differences = collect(clips, 'difference')
    # (t, h, w) of each clip: mean over a window's differences and colours
    changes = [np.abs(d).mean((1, 2)) for d in next(iter(differences.values()), [])]
    gates = collect(clips, 'gate_map', layers, stages=3)
    if not changes and not gates:
        return None
    t, height, width = clips[0].frames.shape[:3]
    rows = 1 + bool(changes) + len(gates)
    size = frame_size(t)
    figure = new_figure(
        f'{recorded_by(clips, "difference", "gate_map")}: what changes, and gates',
        size * t + 2.5,
        (size * height / width * rows + 0.4) * len(clips) + 0.5,
    )
    grid = figure.add_gridspec(rows * len(clips), 2, width_ratios=[size * t, 0.15])
    every = [value for values in gates.values() for value in values]
    for i, clip in enumerate(clips):
        cells = [grid[rows * i + j, 0] for j in range(rows)]
        axes = [figure.add_subplot(cell) for cell in cells]
        axes[0].set_title(clip.title, loc='left')
        show_strip(axes[0], clip.frames.numpy())
        row_label(axes[0], 'middle frame')
        if changes:
            norm = from_zero(changes)
            image = show_strip(axes[1], changes[i], norm=norm, cmap=SEQUENTIAL)
            row_label(axes[1], 'change in\nthe window')
            scale = figure.add_subplot(grid[rows * i + 1, 1])
            figure.colorbar(image, scale, label='|difference|')
        if gates:
            shown = {label: values[i] for label, values in gates.items()}
            image = _show_gates(axes[-len(shown) :], shown, around(1, every))
            last = rows * (i + 1)
            scale = figure.add_subplot(grid[last - len(shown) : last, 1])
            figure.colorbar(image, scale, label='gate, mean over channels')
    return figure


def _show_gates(
    axes: list[Axes], gates: dict[str, np.ndarray], norm: Normalize
) -> ScalarMappable:
    for axis, (label, gate) in zip(axes, gates.items()):
        image = show_strip(axis, gate, norm=norm, cmap=DIVERGING)
        row_label(axis, f'gate of\n{label}')
    return image


def draw_gates(clips: list[Clip], layers: Optional[list[str]]) -> Optional[Figure]:
    """Draw the mean gate of all layers and frames, a clip a column."""
    gates = collect(clips, 'gate', layers)
    if not gates:
        return None
    # (clips, layers, t): mean over channels
    means = [
        align([gate.mean(1) for gate in column]) for column in zip(*gates.values())
    ]
    means = np.array(means)
    figure = new_figure(
        f'{recorded_by(clips, "gate")}: gates (above 1: strengthened by what changes)',
        max(0.3 * means.shape[2] * len(clips) + 2.5, 6),
        1.5 + 0.24 * len(gates),
    )
    axes = figure.subplots(1, len(clips), sharey=True, squeeze=False)[0]
    for axis, clip, mean in zip(axes, clips, means):
        image = show_matrix(axis, mean, around(1, means), DIVERGING)
        axis.set(title=clip.title, xlabel='segment')
    axes[0].set_yticks(range(1, len(gates) + 1), [*gates])
    figure.colorbar(image, ax=axes, label='mean gate')
    return figure
