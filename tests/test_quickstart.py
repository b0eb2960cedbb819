"""The quick start, whole: order is learnt by the temporal networks alone."""

import json
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


@pytest.mark.slow
def test_temporal_networks_learn_order_and_tsn_cannot(tmp_path):
    # One epoch less than by default.
    done = quickstart(tmp_path, '--methods', 'all', '--epochs', '4')
    assert done.returncode == 0, done.stderr[-3000:]
    rows = json.loads((tmp_path / 'runs/results.json').read_text())
    top1 = {row['method']: row['top1'] for row in rows}
    assert top1.pop('tsn') <= 0.55
    assert top1.keys() == {'tanet', 'tin'}
    assert min(top1.values()) >= 0.9
    # Frames as a set score both directions of a scene alike.
    assert rows[0]['within_pair'] <= 0.55
    assert all(row['seconds'] > 0 for row in rows)


@pytest.mark.slow
def test_runs_are_resumed_reused_and_never_overwritten(tmp_path):
    small = ['--methods', 'tin', '--train-clips', '16', '--val-clips', '8']
    assert quickstart(tmp_path, *small, '--epochs', '2').returncode == 0
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

    (tmp_path / 'runs/tanet').mkdir()
    (tmp_path / 'runs/tanet/mine.txt').write_text('mine')
    foreign = quickstart(tmp_path, '--methods', 'tanet', *small[2:])
    assert foreign.returncode != 0
    assert 'holds files of something else' in foreign.stderr
