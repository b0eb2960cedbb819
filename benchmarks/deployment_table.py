"""Write the tables of deployment into the page, from the files of benchmarks/results.

They stand between `<!-- deployment speed CLIPS -->` (clips at a time) or `<!--
deployment accuracy -->` and `<!-- end -->`.

    python benchmarks/deployment_table.py docs/export.md
"""

from pathlib import Path

from deployment_picture import settings
from measuring import read_csv
from page_blocks import fill_pages, find_blocks

RESULTS = Path(__file__).resolve().parent / 'results'
SPEED, ACCURACY = 'deployment_cpu.csv', 'deployment_accuracy.csv'
BLOCK = find_blocks('deployment')


def make_table(kind, batch=None):
    """Return lines of markdown: a row for each variant, a column for each network."""
    if kind == 'accuracy':
        return make_accuracy_table()
    rows = [row for row in read_csv(RESULTS / SPEED) if row['batch'] == batch]
    lines = table_lines(
        rows,
        lambda row: f'{float(row["ratio"]):.2f} ({float(row["own_ratio"]):.2f})',
        {
            'difference': lambda found: f'{column(found, "difference")[-1]:.0e}',
            'MB': lambda found: span(column(found, 'megabytes')),
        },
    )
    note = f'{batch} clip(s), {settings(rows)} (`benchmarks/results/{SPEED}`).'
    return [*lines, '', note]


def make_accuracy_table():
    rows = read_csv(RESULTS / ACCURACY)
    lines = table_lines(
        rows, lambda row: f'{float(row["top1"]):.1f}%, {float(row["difference"]):.0e}'
    )
    largest = span(column(rows, 'largest'))
    sizes = ' and '.join(sorted({row['size'] for row in rows}))
    first = rows[0]
    return [
        *lines,
        '',
        f'Top-1 on {first["clips"]} motion clips, and the largest difference from '
        f'eager PyTorch, of scores up to {largest}; ResNet-{first["depth"]}, '
        f'{sizes} px, {first["calibration"]} clips for calibration '
        f'(`benchmarks/results/{ACCURACY}`).',
    ]


def table_lines(rows, cell, summaries=None):
    """Return the table of cells, with columns made of all cells of a row behind."""
    summaries = summaries or {}
    networks = list(dict.fromkeys(row['network'] for row in rows))
    variants = {}
    for row in rows:
        variants.setdefault(row['variant'], {})[row['network']] = row
    lines = [
        '| ' + ' | '.join(['variant', *networks, *summaries]) + ' |',
        '|---' * (1 + len(networks) + len(summaries)) + '|',
    ]
    for variant, found in variants.items():
        cells = [cell(found[name]) if name in found else '–' for name in networks]
        cells += [summary(list(found.values())) for summary in summaries.values()]
        lines.append('| ' + ' | '.join([variant, *cells]) + ' |')
    return lines


def column(rows, name):
    return sorted(float(row[name]) for row in rows)


def span(values):
    low, high = f'{values[0]:.0f}', f'{values[-1]:.0f}'
    return low if low == high else f'{low} to {high}'


if __name__ == '__main__':
    fill_pages(__doc__.splitlines()[0], BLOCK, make_table)
