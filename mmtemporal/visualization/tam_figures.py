"""Figures of the temporal adaptive module.

Paper: TAM: Temporal Adaptive Module for Video Recognition (ICCV 2021),
https://arxiv.org/abs/2005.06803, Figures 4 to 8
"""

from typing import Optional

import numpy as np
from matplotlib.figure import Figure

from .clip import Clip, collect, recorded_by
from .style import (
    COLOURS,
    GREY,
    ROW,
    frame_size,
    frame_ticks,
    new_figure,
    row_label,
    show_strip,
    violins,
)

# As in the paper: the last module of the last two stages.
STAGES = 2


def draw_kernels(clips: list[Clip], layers: Optional[list[str]]) -> Optional[Figure]:
    """Draw the kernels of all channels, a layer a row and a clip a column."""
    kernels = collect(clips, 'kernel', layers, STAGES)
    if not kernels:
        return None
    figure = new_figure(
        f'{recorded_by(clips, "kernel")}: every channel of every clip has a kernel of '
        'its own',
        max(1.9 * len(clips) + 1.5, 5),
        ROW * len(kernels) + 0.8,
    )
    axes = figure.subplots(len(kernels), len(clips), sharey=True, squeeze=False)
    for row, (label, values) in zip(axes, kernels.items()):
        for axis, kernel in zip(row, values):
            offsets = _offsets(kernel)
            violins(axis, [*kernel], offsets)
            axis.axhline(1 / len(kernel), color=GREY, linestyle=':', linewidth=1)
            axis.set_xticks(offsets, [f'{i:+d}' if i else '0' for i in offsets])
        row_label(row[0], f'{label}\nweight')
    for axis, clip in zip(axes[0], clips):
        axis.set_title(clip.title)
    figure.supxlabel(
        'frame that is mixed in, relative to the output frame (dotted: plain mean)',
        fontsize=9,
    )
    return figure


def draw_importance(clips: list[Clip], layers: Optional[list[str]]) -> Optional[Figure]:
    """Draw the importances of all channels under the frames that they weight."""
    importances = collect(clips, 'importance', layers, STAGES)
    if not importances:
        return None
    t, height, width = clips[0].frames.shape[:3]
    size = frame_size(t)
    strip = height / width * size
    figure = new_figure(
        f'{recorded_by(clips, "importance")}: how much each frame counts before the '
        'mixing',
        size * t * len(clips) + 1.5,
        ROW * len(importances) + strip + 1,
    )
    axes = figure.subplots(
        1 + len(importances),
        len(clips),
        sharey='row',
        squeeze=False,
        height_ratios=[strip, *[ROW] * len(importances)],
    )
    for axis, clip in zip(axes[0], clips):
        show_strip(axis, clip.frames.numpy())
        axis.set_title(clip.title)
    for row, (label, values) in zip(axes[1:], importances.items()):
        for axis, importance in zip(row, values):
            t = len(importance)
            violins(axis, [*importance], range(1, t + 1))
            axis.set(xlim=(0.5, t + 0.5), xticks=frame_ticks(t))
        row_label(row[0], f'{label}\nimportance')
    for axis in axes[-1]:
        axis.set_xlabel('frame')
    return figure


def draw_histograms(clips: list[Clip], layers: Optional[list[str]]) -> Optional[Figure]:
    """Draw the frames of every clip beside the histograms of its kernels."""
    kernels = collect(clips, 'kernel', layers, STAGES)
    if not kernels:
        return None
    label, values = next(iter(kernels.items()))
    t, height, width = clips[0].frames.shape[:3]
    size, kernel_size = frame_size(t), len(values[0])
    figure = new_figure(
        f'{recorded_by(clips, "kernel")}: frames, and the kernels of {label} '
        '(lines: medians)',
        size * t + 1.5 * kernel_size,
        max(height / width * size, 1.1) * len(clips) + 1,
    )
    axes = figure.subplots(
        len(clips),
        1 + kernel_size,
        squeeze=False,
        width_ratios=[size * t, *[1.5] * kernel_size],
    )
    bins = np.histogram_bin_edges(values, 30)
    for row, clip, kernel in zip(axes, clips, values):
        show_strip(row[0], clip.frames.numpy())
        row[0].set_title(clip.title, loc='left')
        for axis, weights, colour in zip(row[1:], kernel, COLOURS * kernel_size):
            axis.hist(weights, bins, color=colour)
            axis.axvline(np.median(weights), color='black', linewidth=1)
    top = max(axis.get_ylim()[1] for axis in axes[:, 1:].flat)
    for axis in axes[:, 1:].flat:
        axis.set(xlim=(bins[0], bins[-1]), ylim=(0, top))
        axis.locator_params('x', nbins=3)
    for axis, offset in zip(axes[0, 1:], _offsets(values[0])):
        axis.set_title(f'offset {offset:+d}' if offset else 'offset 0')
    for axis in axes[-1, 1:]:
        axis.set_xlabel('weight')
    axes[-1, 1].set_ylabel('channels')
    return figure


def _offsets(kernel: np.ndarray) -> range:
    reach = len(kernel) // 2
    return range(-reach, reach + 1)
