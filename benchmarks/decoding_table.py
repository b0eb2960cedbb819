"""Write the tables of readers into the pages, from benchmarks/results/decoding_cpu.csv.

They stand between `<!-- decoding recipes -->` or `<!-- decoding codecs -->` and
`<!-- end -->`.

    python benchmarks/decoding_table.py docs/reading_videos.md
"""

import csv
from pathlib import Path

from page_blocks import fill_pages, find_blocks

RESULTS = Path(__file__).resolve().parent / 'results' / 'decoding_cpu.csv'
BLOCK = find_blocks('decoding')
SEGMENTS = '8 segments'
# One of each way in which recipes draw frames; the baseline of the ratios is left out.
RECIPES = {
    'tanet_imagenet-pretrained-r50_8xb8-1x1x8-50e_sthv2-rgb': '8 segments',
    'tdn_imagenet-pretrained-r50_8xb8-5x1x8-60e_sthv2-rgb': '8 windows of 5',
    'tanet_imagenet-pretrained-r50_8xb8-dense-1x1x8-100e_kinetics400-rgb': (
        '8 of 64 frames, dense'
    ),
    'tada2d_imagenet-pretrained-r50_8xb16-8x8x1-100e_kinetics400-rgb': (
        'a clip of 8, every 8th frame'
    ),
    'tadaconvnextv2_imagenet-pretrained-tiny_32xb16-16x5x1-100e_kinetics400-rgb': (
        'a clip of 16, every 5th frame'
    ),
}
READERS = ('StrictPyAVInit', 'decord2', 'StrictDecordInit', 'OpenCV', 'PyAV')


def read_rows():
    with RESULTS.open(newline='') as file:
        return list(csv.DictReader(file))


def make_table(kind):
    """Return lines of markdown: a row for each way to draw frames, or each codec."""
    rows = read_rows()
    if kind == 'recipes':
        names = RECIPES
        rows = [row for row in rows if row['frames'] in names]
        found = {(row['frames'], row['reader']): row for row in rows}
    else:
        rows = [row for row in rows if row['frames'] == SEGMENTS]
        names = {row['video']: row['video'] for row in rows}
        found = {(row['video'], row['reader']): row for row in rows}
    lines = [
        f'| {"frames" if kind == "recipes" else "video"} | decord, ms | '
        + ' | '.join(READERS)
        + ' |',
        '|---' * (len(READERS) + 2) + '|',
    ]
    for key, name in names.items():
        decord = found.get((key, 'decord'))
        cells = [f'{float(decord["clip_ms"]):.0f}' if decord else 'no decoder']
        cells += [cell(found.get((key, reader))) for reader in READERS]
        lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
    first = rows[0]
    return [
        *lines,
        '',
        f'Median of {first["repeats"]} rounds of {first["draws"]} draw(s), '
        f'{first["device"]} (`benchmarks/results/decoding_cpu.csv`). *Wrong*: not all '
        'frames are those that were asked for.',
    ]


def cell(row):
    if row is None:
        return '–'
    text = row['ratio'] and f'{float(row["ratio"]):.2f}'
    if not text:
        text = f'{float(row["clip_ms"]):.0f} ms'
    if row['reader'] == READERS[0]:
        text = f'**{text}**'
    return text if row['frames_right'] in ('', '1', '1.0') else f'{text}, wrong'


if __name__ == '__main__':
    fill_pages(__doc__.splitlines()[0], BLOCK, make_table)
