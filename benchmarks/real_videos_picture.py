"""Draw what the networks reach on UTD-MHAD: all classes, order pairs, each pair.

python benchmarks/real_videos_picture.py
"""

import argparse
import hashlib
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from real_videos_cells import METHODS, NETWORKS
from real_videos_results import FILE, read_rows, summarise

from mmtemporal.datasets.utd_mhad import CLASS_NAMES
from mmtemporal.visualization.style import COLOURS, GREY, new_figure, style

# Column: label, colour, marker, place between two methods.
OVERALL = {
    'top1': (f'top-1, all {len(CLASS_NAMES)} classes', COLOURS[0], 'o', -0.16),
    'order_pairs': (
        'within order pairs: the right one of two',
        COLOURS[1],
        'D',
        0.16,
    ),
}
SINGLE = {
    'swipes': ('swipe left or right', COLOURS[2], 's', -0.24),
    'circles': ('circle clockwise or counter-clockwise', COLOURS[3], '^', 0),
    'sit_stand': ('sit down or stand up', COLOURS[5], 'v', 0.24),
}
TITLE = (
    'UTD-MHAD: mean and standard deviation over the seeds; small dots are single seeds'
)
NOTE = (
    'accuracy in %; TDN in MobileNetV2 and EfficientNet-Lite0 is its long-term module'
)


def source_of(rows: list[dict]) -> str:
    """Return what tells a picture of these results from one of others."""
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def make_figure(rows: list[dict]) -> Figure:
    with style():
        figure = new_figure(TITLE, 9, 7.5)
        figure.set_layout_engine('constrained')
        parts = figure.subfigures(2, 1, height_ratios=(0.45, 0.55))
        for part, marks in zip(parts, (OVERALL, SINGLE)):
            axes = part.subplots(1, len(NETWORKS), sharey=True)
            for axis, (network, title) in zip(axes, NETWORKS.items()):
                _draw_panel(axis, network, marks, rows)
                axis.set_title(title)
            _write_legend(part, marks)
        parts[-1].supxlabel(NOTE, fontsize=9)
    return figure


def _draw_panel(axis: Axes, network: str, marks: dict, rows: list[dict]) -> None:
    """Draw a row of marks for each method."""
    cells = [f'{method}-{network}' for method in METHODS]
    summary = summarise([row for row in rows if row['cell'] in cells])
    axis.axvline(50, color=GREY, linestyle=':')
    for column, (_, colour, marker, shift) in marks.items():
        if marks is OVERALL and cells[0] in summary:
            baseline = 100 * summary[cells[0]][column][0]
            axis.axvline(baseline, color=colour, linestyle='--', linewidth=0.8)
        for y, cell in enumerate(cells):
            if cell in summary:
                middle, spread = (100 * value for value in summary[cell][column])
                bar = dict(xerr=spread, capsize=2) if spread == spread else {}
                axis.errorbar(middle, y + shift, fmt=marker, color=colour, **bar)
        singles = [row for row in rows if row['cell'] in summary]
        axis.scatter(
            [100 * float(row[column]) for row in singles],
            [cells.index(row['cell']) + shift for row in singles],
            s=4,
            color='black',
            zorder=3,
        )
    for y, cell in enumerate(cells):
        axis.axhline(y - 0.5, color=GREY, linewidth=0.3)
        if cell not in summary:
            axis.text(25, y, 'no run yet', ha='center', va='center', color=GREY)
    axis.set(xlim=(0, 102), ylim=(len(cells) - 0.5, -0.5))
    axis.set_yticks(range(len(cells)), METHODS.values())
    axis.tick_params(axis='y', length=0)


def _write_legend(part: FigureBase, marks: dict) -> None:
    """Write above a row of panels what is in them."""
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle='', label=label)
        for label, colour, marker, _ in marks.values()
    ]
    handles.append(
        Line2D([], [], color=GREY, linestyle=':', label='chance of one of two')
    )
    if marks is OVERALL:
        handles.append(Line2D([], [], color=GREY, linestyle='--', label='TSN'))
    part.legend(
        handles=handles,
        loc='outside upper center',
        ncols=len(handles),
        columnspacing=1.2,
        handletextpad=0.4,
    )


def draw(rows: list[dict], path: Path) -> None:
    figure = make_figure(rows)
    with style():
        figure.savefig(path, metadata={'Source': source_of(rows)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--results', type=Path, default=FILE)
    parser.add_argument('--out', type=Path, default=FILE.with_suffix('.png'))
    args = parser.parse_args()
    if not args.results.is_file():
        parser.error(f'{args.results} is no file')
    draw(read_rows(args.results), args.out)


if __name__ == '__main__':
    main()
