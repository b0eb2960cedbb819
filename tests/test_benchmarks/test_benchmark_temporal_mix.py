"""The benchmark of the formulations of temporal mixing."""

import csv
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'


@pytest.mark.parametrize('options', ['', '--dtype bfloat16 --channels-last'])
def test_compares_all_formulations(options, monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    benchmark = import_module('temporal_mix')
    monkeypatch.setattr(benchmark, 'SIZES', ((1, 4, 3), (2, 2, 5)))
    out = tmp_path / 'mix.csv'
    threads = ['--threads', str(torch.get_num_threads())]
    arguments = [*options.split(), *threads, '--repeats', '2', '--out', str(out)]
    monkeypatch.setattr(sys, 'argv', ['temporal_mix.py', *arguments])
    benchmark.main()
    with out.open(newline='') as lines:
        rows = list(csv.DictReader(lines))
    names = ['grouped convolution', 'temporal_mix', 'matrix product', 'plain torch']
    assert [row['formulation'] for row in rows] == 2 * names
    for row in rows:
        assert float(row['copy_ratio']) > 0
        if row['formulation'] == 'grouped convolution':
            assert float(row['forward_ratio']) == float(row['both_ratio']) == 1
    assert '1 x 4 x 3' in capsys.readouterr().out
