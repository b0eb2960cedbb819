"""Write the speed tables of the pages from the results files.

A page says where: between `<!-- speed FILE [SETTING] -->` and `<!-- end -->`, FILE
being one of benchmarks/results and SETTING one of its settings (all without).

    python benchmarks/speed_table.py docs/speed.md
"""

from pathlib import Path

from measuring import read_csv
from page_blocks import fill_pages, find_blocks
from speed_picture import backbone

RESULTS = Path(__file__).resolve().parent / 'results'
BLOCK = find_blocks('speed')
OTHERS = ('naive', 'in-tree')


def cell(rows, mode, value):
    """Write ours, and in brackets the others."""
    found = {row['implementation']: row for row in rows if row['mode'] == mode}
    if 'ours' not in found:
        return '–'
    others = [
        f'{name} {float(found[name][value]):.2f}' for name in OTHERS if name in found
    ]
    text = f'**{float(found["ours"][value]):.2f}**'
    if value == 'ratio':
        minimum, maximum = (
            float(found['ours'][f'ratio_{end}']) for end in ('min', 'max')
        )
        text += f' ({minimum:.2f} to {maximum:.2f})'
    return ', '.join([text, *others])


def make_table(file, setting=None):
    """Return lines of markdown: a row for each network, setting and frame count."""
    groups = {}
    for row in read_csv(RESULTS / file):
        if setting in (None, row['setting']):
            key = row['network'], row['setting'], row['frames']
            groups.setdefault(key, []).append(row)
    first = next(iter(groups.values()))[0]
    lines = [
        '| network | setting | frames | inference | training step | its peak memory |',
        '|---|---|---|---|---|---|',
    ]
    for key, rows in groups.items():
        cells = (
            cell(rows, 'inference', 'ratio'),
            cell(rows, 'training', 'ratio'),
            cell(rows, 'training', 'memory_ratio'),
        )
        lines.append('| ' + ' | '.join((*key, *cells)) + ' |')
    lines += [
        '',
        f'{backbone(first)}, {first["batch"]} clip(s) of {first["size"]} px, '
        f'{first["device"]}, {first["threads"]} thread(s), torch {first["torch"]}, '
        f'{first["rounds"]} rounds (`benchmarks/results/{file}`).',
    ]
    return lines


if __name__ == '__main__':
    fill_pages(__doc__.splitlines()[0], BLOCK, make_table)
