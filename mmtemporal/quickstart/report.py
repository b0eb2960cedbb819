"""The page about finished runs: one file that needs no other."""

import platform
from html import escape
from pathlib import Path
from string import Template
from typing import cast

import mmaction
import numpy as np
import torch
from matplotlib.figure import Figure

from mmtemporal.checkpoints.fit import load_trained
from mmtemporal.datasets import CLASS_NAMES, MIRRORED_LABELS
from mmtemporal.models.layers.temporal_layer import temporal_layers
from mmtemporal.version import __version__
from mmtemporal.visualization.clip import Clip, look_at
from mmtemporal.visualization.figures import FIGURES

from .pictures import draw_curves, picture, plot_loss, plot_top1, save, video
from .results import HEADINGS, Run, cells

# Two scenes in both directions.
SHOWN = (0, 1, 6, 7)
# The matrices are explained above them all.
CAPTIONS = dict(
    mixing='',
    kernels=(
        'The kernels behind these matrices: a violin is the distribution over the '
        'channels of the weight of the frame before (-1), the frame itself (0) and '
        'the frame after (+1).'
    ),
    interlacing=(
        'Offsets by which groups of channels move in time, and how much each frame '
        'counts after the move.'
    ),
    differences=(
        'Beside the shifts above: what changes within the window of each segment, and '
        'how strongly the regions of the feature maps are weighted because of it.'
    ),
    calibrations=(
        'The average above is the same for every clip. What depends on the clip is the '
        'calibration of the convolution kernels, which differs from frame to frame.'
    ),
)
NO_LAYERS = (
    'No layer mixes frames. The scores of single frames are averaged, so the two '
    'directions of a scene score alike.'
)


def write_report(
    folder: Path, runs: list[Run], rows: list[dict], data: Path
) -> tuple[Path, Path]:
    """Write ``report.html`` and the learning curves, ``curves.png``.

    Args:
        folder: Where.
        runs: The runs that are compared.
        rows: Their rows of the table.
        data: Folder of the motion clips.

    Returns:
        The paths of the page and of the picture.
    """
    curves = {run.method: run.curves() for run in runs}
    names = ', '.join(run.method for run in runs)
    parts = dict(
        methods=names,
        number=len(runs[0].labels),
        table=_table(rows),
        loss=picture(lambda: draw_curves(curves, plot_loss), f'Loss by epoch: {names}'),
        top1=picture(
            lambda: draw_curves(curves, plot_top1), f'Top-1 by epoch: {names}'
        ),
        confusions=''.join(map(_confusion, runs)),
        clips=''.join(_clip(runs, data, index) for index in SHOWN),
        mixing=''.join(_mixing(run, data) for run in runs),
        versions=(
            f'mmtemporal {__version__}, MMAction2 {mmaction.__version__}, torch '
            f'{torch.__version__}, Python {platform.python_version()}'
        ),
    )
    template = Path(__file__).with_name('page.html').read_text(encoding='utf-8')
    page = folder / 'report.html'
    page.write_text(Template(template).substitute(parts), encoding='utf-8')
    image = folder / 'curves.png'
    return page, save(lambda: draw_curves(curves, plot_loss, plot_top1), image)


def _table(rows: list[dict]) -> str:
    heading = ''.join(f'<th>{escape(text)}</th>' for text in HEADINGS)
    body = ''
    for row in rows:
        # On phones the headings stand in the cells.
        body += ''.join(
            f'<td data-name="{escape(name)}">{escape(text)}</td>'
            for name, text in zip(HEADINGS, cells(row))
        ).join(('<tr>', '</tr>'))
    return f'<thead><tr>{heading}</tr></thead><tbody>{body}</tbody>'


def _confusion(run: Run) -> str:
    """Return a table of how many clips of a row's class got a column's."""
    counts = run.confusion()
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    heading = ''.join(
        f'<th scope="col"><span>{escape(name)}</span></th>' for name in CLASS_NAMES
    )
    body = ''
    for label, name in enumerate(CLASS_NAMES):
        body += f'<tr><th scope="row">{escape(name)}</th>'
        for other in range(len(CLASS_NAMES)):
            kind = 'right' if other == label else 'wrong'
            if other == MIRRORED_LABELS[label]:
                kind = 'reversed'
            number, share = counts[label, other], shares[label, other]
            kind += ' strong' if share > 0.5 else ''
            body += (
                f'<td class="{kind}" style="--share:{share:.3f}">{number or ""}</td>'
            )
        body += '</tr>'
    return (
        f'<figure class="card"><h3>{escape(run.method)}</h3><div class="scroll">'
        f'<table class="confusion"><thead><tr><td></td>{heading}</tr></thead>'
        f'<tbody>{body}</tbody></table></div></figure>'
    )


def _clip(runs: list[Run], data: Path, index: int) -> str:
    """Return a test clip, and a bar of scores for each network."""
    label = int(runs[0].labels[index])
    name, mirrored = CLASS_NAMES[label], CLASS_NAMES[MIRRORED_LABELS[label]]
    bars = ''.join(_bar(run, index, name, mirrored) for run in runs)
    return (
        f'<figure class="card">{video(_path(data, index), name)}'
        f'<figcaption><b>{escape(name)}</b><br>{escape(_path(data, index).name)}'
        f'</figcaption>{bars}</figure>'
    )


def _bar(run: Run, index: int, name: str, mirrored: str) -> str:
    scores, label = run.scores[index], run.labels[index]
    right, reversed_ = scores[label], scores[MIRRORED_LABELS[label]]
    text = (
        f'{run.method}: {name} {right:.0%}, {mirrored} {reversed_:.0%}, recognised as '
        f'{CLASS_NAMES[int(np.argmax(scores))]}'
    )
    return (
        f'<div class="bar" role="img" aria-label="{escape(text)}" '
        f'title="{escape(text)}"><span>{escape(run.method)}</span><div>'
        f'<i class="right" style="width:{right:.1%}"></i>'
        f'<i class="reversed" style="width:{reversed_:.1%}"></i></div>'
        f'<span>{right:.0%}</span></div>'
    )


def _mixing(run: Run, data: Path) -> str:
    """Return the figures of a clip and its reversal."""
    model = load_trained(run.config, run.best)
    if next(temporal_layers(model), None) is None:
        figures = f'<p>{NO_LAYERS}</p>'
    else:
        clips = [look_at(model, _path(data, index)) for index in SHOWN[:2]]
        for clip, index in zip(clips, SHOWN):
            clip.title = CLASS_NAMES[int(run.labels[index])]
        figures = ''.join(_figure(run.method, name, clips) for name in CAPTIONS)
    return f'<section class="card"><h3>{escape(run.method)}</h3>{figures}</section>'


def _figure(method: str, name: str, clips: list[Clip]) -> str:
    """Return a figure and its caption, or nothing where it does not fit."""
    if FIGURES[name](clips, None) is None:
        return ''

    def draw() -> Figure:
        return cast(Figure, FIGURES[name](clips, None))

    image = picture(draw, f'{name} of {method}')
    caption = f'<p>{CAPTIONS[name]}</p>' if CAPTIONS[name] else ''
    return f'{caption}<div class="scroll">{image}</div>'


def _path(data: Path, index: int) -> Path:
    return data / 'val' / f'{index:06d}.mp4'
