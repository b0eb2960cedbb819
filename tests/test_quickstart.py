"""The quick start, whole: order is learnt by the temporal networks alone."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / 'tools' / 'quickstart.py'


def quickstart(folder, *options):
    command = [sys.executable, str(TOOL), '--work-dir', 'runs', '--data', 'clips']
    return subprocess.run(
        [*command, *options], cwd=folder, capture_output=True, text=True
    )


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('quickstart')


@pytest.mark.slow
@pytest.mark.parametrize('method', ['tsn', 'tanet', 'tin', 'tdn', 'tada2d'])
def test_temporal_networks_learn_order_and_tsn_cannot(folder, method):
    # One epoch less than by default, two for the network that learns fastest.
    epochs = '3' if method == 'tdn' else '4'
    done = quickstart(folder, '--methods', method, '--epochs', epochs)
    assert done.returncode == 0, done.stderr[-3000:]
    (row,) = json.loads((folder / 'runs/results.json').read_text())
    assert row['method'] == method and row['seconds'] > 0
    if method == 'tsn':
        # Frames as a set score both directions of a scene alike.
        assert row['top1'] <= 0.55
        assert row['within_pair'] <= 0.55
    else:
        assert row['top1'] >= 0.9


def test_all_are_the_networks_on_resnet18(monkeypatch):
    arguments = ['quickstart.py', '--methods', 'tin', 'all', 'tadaconvnext']
    monkeypatch.setattr(sys, 'argv', arguments)
    methods = runpy.run_path(str(TOOL))['parse_args']().methods
    assert methods == ['tin', 'tsn', 'tanet', 'tdn', 'tada2d', 'tadaconvnext']


@pytest.mark.slow
def test_runs_are_resumed_reused_and_never_overwritten(tmp_path):
    small = ['--methods', 'tin', '--train-clips', '16', '--val-clips', '8']
    first = quickstart(tmp_path, *small, '--epochs', '2')
    assert first.returncode == 0
    run = tmp_path / 'runs/tin'
    files = {path: path.stat().st_mtime_ns for path in run.rglob('*.pth')}

    again = quickstart(tmp_path, *small, '--epochs', '2')
    assert again.returncode == 0
    assert 'Epoch(train)' not in again.stdout
    assert {path: path.stat().st_mtime_ns for path in run.rglob('*.pth')} == files

    other = quickstart(tmp_path, *small, '--epochs', '3')
    assert other.returncode != 0
    assert 'runs/tin holds a run with other settings' in other.stderr
    assert 'max_epochs' in other.stderr
    assert {path: path.stat().st_mtime_ns for path in run.rglob('*.pth')} == files

    # As if it had been interrupted before the test.
    (run / 'predictions.pkl').unlink()
    resumed = quickstart(tmp_path, *small, '--epochs', '2')
    assert resumed.returncode == 0
    assert 'Epoch(test)' in resumed.stdout
    assert 'Epoch(train)' not in resumed.stdout

    run_what_is_printed(first.stdout, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in run.rglob('*.pth')} == files

    (tmp_path / 'runs/tadaconvnext').mkdir()
    (tmp_path / 'runs/tadaconvnext/mine.txt').write_text('mine')
    foreign = quickstart(tmp_path, '--methods', 'tadaconvnext', *small[2:])
    assert foreign.returncode != 0
    assert 'holds files of something else' in foreign.stderr


def run_what_is_printed(output, folder):
    """Runs the commands as they stand, where no environment is active."""
    commands = re.findall(r'^  (/.*)$', output, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        done = subprocess.run(
            ['bash', '-c', command],
            cwd=folder,
            env=dict(PATH='/usr/bin:/bin', HOME=str(folder), OMP_NUM_THREADS='1'),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    rows = json.loads((folder / 'runs/results.json').read_text())
    assert [row['method'] for row in rows] == ['tsn', 'tanet', 'tin', 'tdn', 'tada2d']
    assert (folder / 'clips.png').is_file()


def test_commands_are_printed_from_the_folder_they_run_in(monkeypatch, tmp_path):
    """With the defaults they name none of the options, and no whole paths."""
    monkeypatch.setattr(sys, 'argv', ['quickstart.py'])
    tool = runpy.run_path(str(TOOL))
    assert tool['parse_args']().options == []
    monkeypatch.chdir(tmp_path)
    assert tool['short'](tmp_path / '.venv/bin/python') == '.venv/bin/python'
    assert tool['short'](Path('/usr/bin/python3')) == '/usr/bin/python3'
