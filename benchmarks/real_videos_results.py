"""What the runs of real_videos.py reached: a line for each, and means over seeds."""

import csv
import os
from pathlib import Path
from statistics import mean, stdev
from typing import Optional

import numpy as np
from measuring import machine, write_csv
from mmaction.evaluation import mean_class_accuracy, top_k_accuracy
from real_videos_cells import CELLS, Cell

from mmtemporal.datasets.utd_mhad import CLASS_NAMES, ORDER_PAIRS
from mmtemporal.quickstart.results import Run

FILE = Path(__file__).resolve().parent / 'results' / 'utd_mhad.csv'
PAIRS = dict(zip(('swipes', 'circles', 'sit_stand'), ORDER_PAIRS))
ACCURACIES = ('top1', 'mean_class', 'order_pairs', *PAIRS, 'training_top1')
NUMBERS = (*ACCURACIES, 'training_cpu_seconds', 'parameters')


def within_pairs(scores: np.ndarray, labels: np.ndarray, pairs) -> float:
    """Return how often the right class of a pair has the higher score.

    It is the accuracy of a choice between the two, so chance is one half.
    """
    other = {a: b for pair in pairs for a, b in (pair, pair[::-1])}
    right = [
        score[label] > score[other[label]]
        for score, label in zip(scores, labels.tolist())
        if label in other
    ]
    return float(np.mean(right))


def make_row(
    cell: Cell, seed: int, run: Run, seen: Run, seconds: Optional[float]
) -> dict:
    """Return the line of a run that was trained and tested.

    Args:
        cell: What was trained.
        seed: Its seed.
        run: Where the scores of the test videos are.
        seen: Where those of the training videos are.
        seconds: CPU time of the training, None if it is not known.
    """
    scores, labels = run.scores, run.labels
    if scores.shape[1] != len(CLASS_NAMES):
        raise ValueError(f'{run.predictions} is no test on UTD-MHAD')
    accuracies = dict(
        top1=top_k_accuracy(scores, labels, (1,))[0],
        mean_class=mean_class_accuracy(scores, labels),
        order_pairs=within_pairs(scores, labels, ORDER_PAIRS),
        **{name: within_pairs(scores, labels, [pair]) for name, pair in PAIRS.items()},
        training_top1=top_k_accuracy(seen.scores, seen.labels, (1,))[0],
    )
    return dict(
        cell=cell.name,
        seed=seed,
        **{name: f'{value:.4f}' for name, value in accuracies.items()},
        parameters=run.count_parameters(),
        training_cpu_seconds='' if seconds is None else round(seconds),
        settings=cell.digest,
        **{key: value for key, value in machine().items() if key != 'threads'},
    )


def read_rows(path: Path = FILE) -> list[dict]:
    """Return the lines of a results file, none if it does not exist.

    Raises:
        SystemExit: If the file holds something else, or a line is damaged.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline='') as lines:
            reader = csv.DictReader(lines)
            rows, columns = list(reader), reader.fieldnames or []
    except (OSError, ValueError, csv.Error) as error:
        raise SystemExit(f'error: {path} is no results file: {error}') from None
    missing = {'cell', 'seed', 'settings', *NUMBERS}.difference(columns)
    if columns and missing:
        raise SystemExit(
            f'error: {path} is no results file of real_videos.py: it has no column '
            f'{min(missing)}'
        )
    seen = set()
    for number, row in enumerate(rows, 2):
        problem = _find_problem(row) or (key(row) in seen and 'is there twice')
        if problem:
            raise SystemExit(
                f'error: line {number} of {path} ({row["cell"]}, seed {row["seed"]}) '
                f'{problem}; delete it'
            )
        seen.add(key(row))
    return rows


def _find_problem(row: dict) -> str:
    """Return what is wrong with a line, '' if nothing is."""
    if None in row or None in row.values():
        return 'has another number of columns than the first line'
    if row['cell'] not in CELLS:
        return 'is of a cell that --list does not have'
    try:
        int(row['seed'])
        # A time need not be known.
        [float(row[name]) for name in NUMBERS if name in ACCURACIES or row[name]]
    except ValueError as error:
        return f'has a wrong number: {error}'
    return ''


def add_row(row: dict, path: Path = FILE) -> None:
    """Write a line, in the order of the cells, so that nothing else changes."""
    order = list(CELLS)
    rows = [r for r in read_rows(path) if (r['cell'], int(r['seed'])) != key(row)]
    rows = sorted([*rows, row], key=lambda r: (order.index(r['cell']), int(r['seed'])))
    part = path.with_suffix('.part')
    write_csv(part, rows)
    os.replace(part, path)


def key(row: dict) -> tuple[str, int]:
    return row['cell'], int(row['seed'])


def summarise(rows: list[dict]) -> dict[str, dict]:
    """Return means and standard deviations over the seeds of each cell.

    The result is {cell: {column: (mean, standard deviation), 'seeds': number}}, with
    nan for what is not known: the deviation of one seed, or a time.
    """
    summary = {}
    for name in dict.fromkeys(row['cell'] for row in rows):
        own = [row for row in rows if row['cell'] == name]
        summary[name] = {'seeds': len(own)}
        for column in NUMBERS:
            values = [float(row[column]) for row in own if row[column]]
            middle = mean(values) if values else float('nan')
            spread = stdev(values) if len(values) > 1 else float('nan')
            summary[name][column] = middle, spread
    return summary
