"""The program that runs the cells, with stand-ins for the stock scripts."""

import json
import pickle
import signal
import sys

import pytest
import torch
from made_up_results import cells, real_videos, results

from mmtemporal.datasets.utd_mhad import CLASS_NAMES

# Stands for `python`: -m mmtemporal.tools train CONFIG --work-dir FOLDER --resume, or
# -m mmtemporal.tools test CONFIG CHECKPOINT --work-dir FOLDER --dump FILE ...
SCRIPT = """#!/bin/bash
here={here}
echo "${{@:3}}" >> $here/calls
if [ $3 = test ]; then
  mkdir -p $(dirname $9)
  cp $here/predictions.pkl $9
elif [ -e $here/fail ]; then
  echo "no memory"
  exit 3
elif [ -e $here/interrupt ]; then
  rm $here/interrupt
  touch $6/last_checkpoint
  kill -TERM $PPID
  exec sleep 60
else
  cp $here/weights.pth $6/epoch_12.pth
fi
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with data, where the stock scripts are those above."""
    for name in ('train.txt', 'test.txt'):
        path = tmp_path / 'data/utd_mhad' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    # Three videos, of which the first two are right.
    scores = torch.eye(len(CLASS_NAMES))[[0, 8, 0]]
    samples = [
        dict(pred_score=score, gt_label=torch.tensor([label]))
        for score, label in zip(scores, (0, 8, 23))
    ]
    samples.append(dict(pred_score=scores[1], gt_label=torch.tensor([1])))
    (tmp_path / 'predictions.pkl').write_bytes(pickle.dumps(samples))
    weights = {'fc.weight': torch.ones(2, 3), 'bn.running_mean': torch.ones(5)}
    torch.save(dict(state_dict=weights), tmp_path / 'weights.pth')
    script = tmp_path / 'python'
    script.write_text(SCRIPT.format(here=tmp_path))
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'executable', str(script))
    # The program takes it over; without that a test fails and does not end all.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)


def run(monkeypatch, *options, names=('tsn-r18', 'tsm-r18'), seeds=(0,)):
    arguments = ['--cells', *names, '--seeds', *seeds, '--out', 'out.csv', *options]
    monkeypatch.setattr(sys, 'argv', ['real_videos.py', *map(str, arguments)])
    real_videos.main()


def read_calls(folder):
    path = folder / 'calls'
    return path.read_text().splitlines() if path.exists() else []


def test_runs_what_is_missing_and_nothing_twice(folder, monkeypatch, capsys):
    run(monkeypatch, seeds=(0, 1))
    rows = results.read_rows(folder / 'out.csv')
    keys = [('tsn-r18', 0), ('tsn-r18', 1), ('tsm-r18', 0), ('tsm-r18', 1)]
    assert [results.key(row) for row in rows] == keys
    for row in rows:
        assert row['settings'] == cells.CELLS[row['cell']].digest
        assert (row['top1'], row['training_top1']) == ('0.5000', '0.5000')
        # Of four videos, one of each class: two right, and equal scores are none.
        assert row['order_pairs'] == '0.5000'
        assert (row['swipes'], row['circles']) == ('0.5000', '1.0000')
        assert row['parameters'] == '6' and float(row['training_cpu_seconds']) >= 0
    calls = read_calls(folder)
    assert len(calls) == 3 * 4
    first = 'work_dirs/real_videos/tsn-r18/seed0'
    assert calls[0] == f'train {first}.py --work-dir {first} --resume'
    test = f'test {first}.py {first}/epoch_12.pth --work-dir {first} --dump {first}'
    assert calls[1:3] == [
        f'{test}/predictions.part.pkl',
        f'{test}/training_videos/predictions.part.pkl --cfg-options '
        'test_dataloader.dataset.ann_file=data/utd_mhad/train.txt',
    ]
    before = (folder / 'out.csv').read_bytes()
    run(monkeypatch, seeds=(0, 1))
    assert read_calls(folder) == calls
    assert (folder / 'out.csv').read_bytes() == before
    assert capsys.readouterr().out.count('complete: out.csv') == 2
    # A lost line is made of the files of its run.
    (folder / 'out.csv').unlink()
    run(monkeypatch, seeds=(0, 1))
    assert read_calls(folder) == calls
    assert (folder / 'out.csv').read_bytes() == before


def test_an_interrupted_run_goes_on(folder, monkeypatch, capsys):
    (folder / 'interrupt').touch()
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch)
    assert stop.value.code == 130
    assert 'the same command goes on' in capsys.readouterr().err
    assert not (folder / 'out.csv').exists() and len(read_calls(folder)) == 1
    run(monkeypatch)
    calls = read_calls(folder)
    assert calls[1] == calls[0] and calls[0].endswith('--resume')
    tsn, tsm = results.read_rows(folder / 'out.csv')
    # Only the last piece was timed.
    assert tsn['training_cpu_seconds'] == '' and tsm['training_cpu_seconds'] != ''


def test_a_failed_run_ends_all_and_names_its_log(folder, monkeypatch):
    (folder / 'fail').touch()
    with pytest.raises(SystemExit, match='error: exit status 3 of .* train') as stop:
        run(monkeypatch)
    log = str(stop.value.code).rpartition('see ')[2]
    assert (folder / log).read_text() == 'no memory\n'
    assert len(read_calls(folder)) == 1


def test_no_time_left_begins_nothing(folder, monkeypatch, capsys):
    run(monkeypatch, '--minutes', '0')
    assert not read_calls(folder) and not (folder / 'out.csv').exists()
    assert '2 runs are left' in capsys.readouterr().out


def test_lines_of_other_settings_are_refused(folder, monkeypatch):
    run(monkeypatch, names=['tsn-r18'])
    calls = read_calls(folder)
    path = folder / 'out.csv'
    digest = cells.CELLS['tsn-r18'].digest
    path.write_text(path.read_text().replace(digest, '0' * 12))
    expected = f'tsn-r18, seed 0, by other settings \\(0{{12}}, now {digest}\\)'
    with pytest.raises(SystemExit, match=expected):
        run(monkeypatch)
    assert read_calls(folder) == calls


def test_data_is_asked_for(folder, monkeypatch):
    with pytest.raises(SystemExit, match='tsn-mobilenetv2 needs data/weights/mobilen'):
        run(monkeypatch, names=['tsn-r18', 'tsn-mobilenetv2'])
    (folder / 'data/utd_mhad/train.txt').unlink()
    with pytest.raises(SystemExit, match='tsn-r18 needs data/utd_mhad/train.txt, whi'):
        run(monkeypatch)


def test_timm_is_asked_for(folder, monkeypatch):
    monkeypatch.setattr(real_videos, 'find_spec', lambda name: None)
    names = ['tsn-r18', 'tsn-efficientnetlite0']
    with pytest.raises(SystemExit, match='tsn-efficientnetlite0 needs timm; '):
        run(monkeypatch, names=names)
    run(monkeypatch, names=['tsn-r18'])


def test_a_run_that_is_named_twice_is_done_once(folder, monkeypatch):
    run(monkeypatch, '--jobs', '2', names=['tsn-r18', 'tsn-r18'], seeds=(0, 0))
    assert sum(call.startswith('train') for call in read_calls(folder)) == 1


@pytest.mark.parametrize('option', ['--jobs', '--threads'])
def test_impossible_numbers_are_refused(folder, monkeypatch, capsys, option):
    for options, seed in (((option, '0'), 0), ((), -1)):
        with pytest.raises(SystemExit):
            run(monkeypatch, *options, seeds=(seed,))
    error = capsys.readouterr().err
    assert f'{option}: got 0, expected 1 or more' in error
    assert '--seeds: got -1, expected 0 or more' in error


def test_times_are_read_back(folder, monkeypatch):
    run(monkeypatch, names=['tsn-r18'])
    times = folder / 'work_dirs/real_videos/tsn-r18/seed0/cpu_seconds.jsonl'
    assert json.loads(times.read_text()) >= 0
    times.write_text('321.4\n')
    (folder / 'out.csv').unlink()
    run(monkeypatch, names=['tsn-r18'])
    (row,) = results.read_rows(folder / 'out.csv')
    assert row['training_cpu_seconds'] == '321'
