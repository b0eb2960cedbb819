"""The comparison of readers, and its tables."""

import csv
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BENCHMARKS = REPOSITORY / 'benchmarks'


@pytest.mark.slow
def test_every_reader_has_a_row(tmp_path):
    out = tmp_path / 'decoding.csv'
    codecs = ('H.264', 'AV1')
    options = ['--seconds', '2', '--repeats', '1', '--draws', '1', '--out', out]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / 'decoding.py', '--codecs', *codecs, *options],
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with out.open() as file:
        rows = list(csv.DictReader(file))
    readers = {'decord', 'StrictDecordInit', 'StrictPyAVInit', 'PyAV', 'OpenCV'}
    recipes = {row['frames'] for row in rows}
    assert len(recipes) == 1 + 6 and '8 segments' in recipes
    for frames in recipes:
        mine = [r for r in rows if (r['video'], r['frames']) == ('H.264', frames)]
        assert {row['reader'] for row in mine} == readers
        assert {row['frames_right'] for row in mine} == {'1.0'}
        assert {row['ratio'] for row in mine if row['reader'] == 'decord'} == {'1.0'}
    # Which decord cannot read, and so has no ratio to it.
    av1 = {row['reader']: row for row in rows if row['video'] == 'AV1'}
    assert 'decord' not in av1 and av1['StrictPyAVInit']['ratio'] == ''


def test_tables_are_those_of_the_results(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    table = import_module('decoding_table')
    page = (REPOSITORY / 'docs' / 'reading_videos.md').read_text()
    assert len(table.BLOCK.findall(page)) == 2
    assert (
        import_module('page_blocks').fill_blocks(page, table.BLOCK, table.make_table)
        == page
    )


def test_it_is_as_fast_as_the_page_says(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    rows = import_module('decoding_table').read_rows()
    own = [row for row in rows if row['reader'] == 'StrictPyAVInit']
    assert {row['frames_right'] for row in own} == {'1.0'}
    ratios = {(row['video'], row['frames']): row['ratio'] for row in own}
    for (video, _), ratio in ratios.items():
        assert not ratio or float(ratio) <= (0.7 if video == 'H.264' else 1.05)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--repeats', '0'], '--repeats 0: give 1 or more'),
        (['--decord2', 'nowhere'], '--decord2 nowhere: it has no folder decord'),
    ],
)
def test_errors_name_the_argument(options, message, monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    with pytest.raises(SystemExit):
        import_module('decoding').parse_args(options)
    assert message in capsys.readouterr().err
