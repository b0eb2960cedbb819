"""Write the tables of how time and memory grow with the number of frames.

A page says where: between `<!-- growth FILE -->` and `<!-- end -->`, FILE being one of
benchmarks/results in which `networks.py` measured several numbers of frames.

    python benchmarks/growth_table.py docs/speed.md
"""

from measuring import read_csv
from page_blocks import fill_pages, find_blocks
from speed_table import RESULTS

BLOCK = find_blocks('growth')
COLUMNS = (
    ('inference', 'seconds', 'inference'),
    ('training', 'seconds', 'training step'),
    ('training', 'memory_mib', 'its peak memory'),
)


def make_table(file):
    """Return lines of markdown: a row for each network, TSN once."""
    found = {}
    for row in read_csv(RESULTS / file):
        name = {'ours': row['network'], 'TSN': 'TSN'}.get(row['implementation'])
        if name:
            found.setdefault((name, row['mode'], int(row['frames'])), row)
    fewest, *more = sorted({frames for *_, frames in found})

    def cell(name, mode, value, frames):
        many, few = (float(found[name, mode, t][value]) / t for t in (frames, fewest))
        return f'{many / few:.2f}'

    titles = ' | '.join(title for *_, title in COLUMNS)
    lines = [f'| network | {titles} |', '|---' * (1 + len(COLUMNS)) + '|']
    for name in dict.fromkeys(name for name, *_ in found):
        cells = (
            ', '.join(cell(name, mode, value, frames) for frames in more)
            for mode, value, _ in COLUMNS
        )
        lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
    counts = ' and '.join(str(frames) for frames in more)
    return [
        *lines,
        '',
        f'A frame of {counts}, as ratio to one of {fewest} '
        f'(`benchmarks/results/{file}`).',
    ]


if __name__ == '__main__':
    fill_pages(__doc__.splitlines()[0], BLOCK, make_table)
