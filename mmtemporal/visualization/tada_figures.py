"""Figures of temporally-adaptive convolutions.

Papers: TAda! Temporally-Adaptive Convolutions for Video Understanding (ICLR
2022), https://arxiv.org/abs/2110.06178; Temporally-Adaptive Models for
Efficient Video Understanding, https://arxiv.org/abs/2308.05787
"""

from typing import Optional

import numpy as np
from matplotlib.figure import Figure

from .clip import Clip, collect, recorded_by
from .recording import find
from .style import (
    DIVERGING,
    SEQUENTIAL,
    align,
    around,
    from_zero,
    new_figure,
    row_label,
    show_matrix,
)

# Of channels in a figure: more are narrower than its pixels.
MAX_CHANNELS = 128


def draw_calibrations(
    clips: list[Clip], layers: Optional[list[str]]
) -> Optional[Figure]:
    """Draw mean and spread of all calibrations, by layer and frame."""
    found = collect(clips, 'calibration', layers)
    if not found:
        return None
    # (clips, layers, t), over channels
    means, spreads = (
        np.array([align([measure(x, 1) for x in row]) for row in zip(*found.values())])
        for measure in (np.mean, np.std)
    )
    t, centre = means.shape[2], _centre(clips)
    of_what = '1: the plain kernel' if centre else 'around 0, of either sign'
    figure = new_figure(
        f'{recorded_by(clips, "calibration")}: calibration of the kernel for every '
        f'frame ({of_what})',
        max(0.3 * t * len(clips) + 2.5, 6),
        2 * (1 + 0.22 * len(found)) + 0.6,
    )
    axes = figure.subplots(2, len(clips), sharex=True, sharey=True, squeeze=False)
    for row, values, norm, cmap, name in (
        (axes[0], means, around(centre, means), DIVERGING, 'mean over channels'),
        (axes[1], spreads, from_zero(spreads), SEQUENTIAL, 'std over channels'),
    ):
        for axis, value in zip(row, values):
            image = show_matrix(axis, value, norm, cmap)
        row[0].set_yticks(range(1, len(found) + 1), [*found])
        figure.colorbar(image, ax=row, label=name)
    for axis, clip in zip(axes[0], clips):
        axis.set_title(clip.title)
    for axis in axes[1]:
        axis.set_xlabel('frame')
    return figure


def draw_channels(clips: list[Clip], layers: Optional[list[str]]) -> Optional[Figure]:
    """Draw the calibrations of single channels over the frames."""
    found = collect(clips, 'calibration', layers, stages=2)
    if not found:
        return None
    # (channels, t), the smallest first, in the mean over clips and frames
    panels = {}
    for label, values in found.items():
        order = np.mean(values, (0, 1)).argsort()
        order = order[:: -(-len(order) // MAX_CHANNELS)]
        panels[label] = [value[:, order].T for value in values]
    t = clips[0].frames.shape[0]
    figure = new_figure(
        f'{recorded_by(clips, "calibration")}: calibration of single channels',
        max(0.3 * t * len(clips) + 2.5, 6),
        2.2 * len(panels) + 0.8,
    )
    axes = figure.subplots(len(panels), len(clips), squeeze=False)
    every = [value for values in panels.values() for value in values]
    # A few channels go far beyond the others.
    norm = around(_centre(clips), every, share=98)
    for row, (label, values) in zip(axes, panels.items()):
        for axis, value in zip(row, values):
            image = show_matrix(axis, value, norm, DIVERGING)
            axis.set_yticks([])
        number = f'{len(values[0])} of {found[label][0].shape[1]} channels'
        row_label(row[0], f'{label}\n{number},\nsorted')
    for axis, clip in zip(axes[0], clips):
        axis.set_title(clip.title)
    for axis in axes[-1]:
        axis.set_xlabel('frame')
    figure.colorbar(image, ax=axes, label='calibration', extend='both')
    return figure


def _centre(clips: list[Clip]) -> float:
    """Return the middle of the calibrations of a network, for the scales."""
    return find(clips[0].records, 'calibration')[0].calibration_centre
