"""The comparison of the ways to run a trained network, and its tables."""

import csv
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from quickstart_runs import make_run

from mmtemporal.datasets import make_motion_clips

REPOSITORY = Path(__file__).resolve().parents[2]
BENCHMARKS = REPOSITORY / 'benchmarks'
# Without those that take minutes to compile or are another package.
QUICK = ('fused', 'onnxruntime', 'onnxruntime dynamic int8', 'onnxruntime int8')


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module


def run(program, *arguments):
    command = [sys.executable, BENCHMARKS / program, *map(str, arguments)]
    environ = {**os.environ, 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def read(path):
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_every_variant_has_a_row_and_a_run_goes_on(tmp_path):
    out = tmp_path / 'deployment.csv'
    options = ['--depth', 18, '--size', 36, '--rounds', 1, '--variants', *QUICK]
    options += ['--batches', 1, 2, '--out', out]
    run('deployment.py', *options, '--networks', 'TSN')
    first = read(out)
    printed = run('deployment.py', *options, '--networks', 'TSN', 'TIN')
    assert f'{out} has TSN already' in printed
    rows = read(out)
    assert rows[: len(first)] == first
    expected = [
        (network, batch, variant)
        for network in ('TSN', 'TIN')
        for batch in ('1', '2')
        for variant in ('eager', *QUICK)
    ]
    found = [(row['network'], row['batch'], row['variant']) for row in rows]
    assert found == expected
    for row in rows:
        assert float(row['seconds']) > 0 and float(row['ratio']) > 0
        if row['variant'] == 'eager':
            assert row['own_ratio'] == '1.0' and float(row['difference']) == 0
        limit = 0.3 if 'int8' in row['variant'] else 1e-4
        assert float(row['difference']) < limit
        # Eight bits of 32.
        assert (float(row['megabytes']) < 15) == ('int8' in row['variant'])
    assert out.with_suffix('.png').stat().st_size > 10_000


@pytest.mark.slow
def test_openvino_gives_the_scores_of_all_clips(tmp_path, tools):
    pytest.importorskip('openvino', reason='openvino is not installed')
    variants = tools('deployment_variants')
    deployment = tools('deployment')
    names = ['OpenVINO', 'OpenVINO int8']
    options = ['--depth', '18', '--size', '36', '--variants', *names]
    args = deployment.parse_args(options)
    found, clips = deployment.prepare('TIN', args, tmp_path / 'tin')
    expected = found.run(variants.REFERENCE)(clips)
    for name, limit in zip(names, (1e-4, 0.2)):
        difference = (found.run(name)(clips) - expected).abs().amax(1)
        assert len(difference) == 4
        assert (difference < limit * expected.abs().max()).all()


@pytest.mark.slow
def test_accuracy_is_that_of_the_scores(tmp_path):
    data = make_motion_clips(tmp_path / 'clips', num_train=8, num_val=8, size=32)
    quick = make_run(tmp_path / 'runs', 'tin', data, 8)
    (checkpoint,) = quick.folder.glob('*.pth')
    out = tmp_path / 'accuracy.csv'
    options = ['--calibration', 2, '--variants', *QUICK, '--out', out]
    for _ in range(2):  # the rows are replaced
        run('deployment_accuracy.py', quick.config, checkpoint, data, *options)
    rows = read(out)
    assert [row['variant'] for row in rows] == ['eager', *QUICK]
    assert {row['network'] for row in rows} == {'TIN'}
    assert {row['clips'] for row in rows} == {'8'}
    assert {row['calibration'] for row in rows} == {'2'}
    assert rows[0]['same'] == '8' and float(rows[0]['difference']) == 0
    assert all(float(row['top1']) % 12.5 == 0 for row in rows)


def test_tables_are_those_of_the_results(tools):
    table, blocks = tools('deployment_table'), tools('page_blocks')
    page = (REPOSITORY / 'docs' / 'export.md').read_text()
    assert len(table.BLOCK.findall(page)) == 3
    assert blocks.fill_blocks(page, table.BLOCK, table.make_table) == page


def test_exact_variants_are_exact(tools):
    table = tools('deployment_table')
    for row in read(table.RESULTS / table.SPEED):
        if row['variant'] in ('fused', 'compiled', 'onnxruntime', 'OpenVINO'):
            assert float(row['difference']) < 1e-4


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--rounds', '0'], '--rounds 0: give 1 or more'),
        (['--batches', '1', '0'], '--batches [1, 0]: give 1 or more'),
        (['--size', '32'], '--size 32: give 36 or more'),
        (['--variants', 'bfloat16'], '--variants: this processor has no bfloat16'),
        (['--variants', 'OpenVINO'], 'install requirements/benchmarks.txt, or leave'),
    ],
)
def test_errors_name_the_argument(options, message, tools, monkeypatch, capsys):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', dict)
    monkeypatch.setitem(sys.modules, 'openvino', None)
    if '--variants' not in options:
        options = [*options, '--variants', 'eager']
    with pytest.raises(SystemExit):
        tools('deployment').parse_args(options)
    assert message in capsys.readouterr().err


def test_a_file_of_other_settings_is_refused(tools, tmp_path, capsys):
    out = tmp_path / 'deployment.csv'
    out.write_text('network,depth,size,rounds,threads\nTSN,18,64,1,1\n')
    options = ['--variants', 'eager', '--out', str(out)]
    with pytest.raises(SystemExit):
        tools('deployment').parse_args(options)
    message = 'its rows are of depth 18, this run has 50; give another file'
    assert message in capsys.readouterr().err


@pytest.fixture
def row(tools):
    """A row of a run on this machine."""
    deployment, measuring = tools('deployment'), tools('measuring')
    found = dict(network='TSN', variant='eager', batch=1, depth=18, size=64, rounds=1)
    return {**found, **measuring.machine(), **deployment.versions(), 'threads': 1}


OPTIONS = ['--depth', '18', '--size', '64', '--rounds', '1', '--batches', '1']


def test_a_file_of_the_same_run_is_continued(tools, row, tmp_path):
    out = tmp_path / 'deployment.csv'
    tools('measuring').write_csv(out, [row])
    options = [*OPTIONS, '--variants', 'eager', '--out', str(out)]
    (found,) = tools('deployment').parse_args(options).rows
    assert found == {key: str(value) for key, value in row.items()}


@pytest.mark.parametrize(
    ('change', 'options', 'message'),
    [
        ({}, ['--batches', '1', '4'], 'are of batch 1, this run has 1, 4; give'),
        ({}, ['--variants', 'fused'], 'variant eager, this run has eager, fused; give'),
        (dict(device='Pentium'), [], 'its rows are of device Pentium, this run has'),
        (dict(torch='1.0'), [], 'its rows are of torch 1.0, this run has'),
        (dict(onnxruntime='1.0'), [], 'its rows are of onnxruntime 1.0, this run'),
    ],
)
def test_rows_are_not_mixed(change, options, message, tools, row, tmp_path, capsys):
    out = tmp_path / 'deployment.csv'
    tools('measuring').write_csv(out, [{**row, **change}])
    options = [*OPTIONS, '--variants', 'eager', *options, '--out', str(out)]
    with pytest.raises(SystemExit):
        tools('deployment').parse_args(options)
    assert message in capsys.readouterr().err


def test_other_files_are_not_replaced(tools, row, tmp_path, capsys):
    out = tmp_path / 'deployment.csv'
    tools('measuring').write_csv(out, [row])
    for split in ('train', 'val'):
        (tmp_path / f'{split}.txt').write_text('a.mp4 0\n')
    arguments = ['config.py', 'model.pth', str(tmp_path), '--variants', 'eager']
    for file, message in (
        (out, f'--out {out} is no file of this program'),
        (tmp_path, f'--out {tmp_path} is a folder'),
    ):
        with pytest.raises(SystemExit):
            tools('deployment_accuracy').parse_args([*arguments, '--out', str(file)])
        assert message in capsys.readouterr().err


@pytest.mark.parametrize('text', ['', 'a.mp4\n', 'a.mp4 0\nb.mp4 wave\n'])
def test_lists_that_are_none(text, tools, tmp_path):
    file = tmp_path / 'val.txt'
    file.write_text(text)
    with pytest.raises(ValueError, match='expected a video and the number of its clas'):
        tools('deployment_accuracy').read_list(file)


def test_data_without_lists_is_refused(tools, tmp_path, capsys):
    arguments = ['config.py', 'model.pth', str(tmp_path), '--variants', 'eager']
    with pytest.raises(SystemExit):
        tools('deployment_accuracy').parse_args(arguments)
    assert f'{tmp_path} has no train.txt' in capsys.readouterr().err
