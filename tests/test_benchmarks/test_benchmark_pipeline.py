"""The benchmarks of pipelines name every transform, and say what they lack."""

import csv
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine import Config
from stock_config import shipped_config

from mmtemporal.config_types import type_name

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'
COLUMNS = (
    'config split video frames position transform milliseconds pipeline_ms '
    'decoding_share step_ms workers batch_size repeats device torch threads'
).split()


def run(tool, *options, **environ):
    command = [sys.executable, BENCHMARKS / tool, *options]
    environ = {**os.environ, 'OMP_NUM_THREADS': '1', **environ}
    return subprocess.run(
        list(map(str, command)), env=environ, capture_output=True, text=True
    )


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('a folder') / 'a video.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 30, (64, 48))
    for frame in np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), np.uint8):
        writer.write(frame)
    writer.release()
    return path


def raw_frames_config(folder):
    """Make a config of images, which the motion clips are not."""
    cfg = Config.fromfile(shipped_config('TIN'))
    for name in ('train', 'test'):
        dataset = cfg[f'{name}_dataloader'].dataset
        dataset.type = 'RawframeDataset'
        dataset.filename_tmpl = '{:05}.jpg'
        pipeline = [t for t in dataset.pipeline if t.type != 'DecordInit']
        for transform in pipeline:
            if transform.type == 'DecordDecode':
                transform.type = 'RawFrameDecode'
        dataset.pipeline = pipeline
    path = folder / 'raw_frames.py'
    cfg.dump(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize('split', ['train', 'test'])
def test_every_transform_has_a_row(tmp_path, video, split):
    configs = [shipped_config('TDN'), raw_frames_config(tmp_path)]
    out = tmp_path / 'results' / 'pipeline.csv'
    options = ['--video', video, '--repeats', '1', '--out', out]
    options += ['--cfg-options', 'model.backbone.norm_eval=True']
    done = run('pipeline.py', *configs, *options, *['--test'] * (split == 'test'))
    assert done.returncode == 0, done.stderr[-3000:]
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    made = 'MPEG-4 64x48, 20 frames, '
    for path, source in zip(configs, (made, f'JPEG frames of {made}')):
        cfg = Config.fromfile(path)
        mine = [row for row in rows if row['config'] == path.stem]
        pipeline = cfg[f'{split}_dataloader'].dataset.pipeline
        expected = [type_name(step.type) for step in pipeline]
        assert [row['transform'] for row in mine] == expected
        assert [int(row['position']) for row in mine] == list(range(len(mine)))
        assert {row['split'] for row in mine} == {split}
        assert mine[0]['video'].startswith(source)
        parts = sum(float(row['milliseconds']) for row in mine)
        total = float(mine[0]['pipeline_ms'])
        assert parts == pytest.approx(total, rel=0.01, abs=0.1)
        assert 0 < float(mine[0]['decoding_share']) < 1
        workers = total / float(mine[0]['step_ms'])
        assert float(mine[0]['workers']) == pytest.approx(workers, rel=0.1)
        assert all(name in done.stdout for name in expected)
    assert [rows[0]['frames'], rows[-1]['frames']] == ['40', '8']


def test_errors_name_the_argument(tmp_path, video, monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    main = import_module('pipeline').main
    config = str(shipped_config('TIN'))
    missing, text = tmp_path / 'none.mp4', tmp_path / 'text.mp4'
    text.write_text('no video')
    for options, message in (
        ([config, '--video', missing], f'--video {missing}: no such file'),
        ([config, '--video', text], f'--video {text}: decord cannot read it'),
        ([missing, '--video', video], f'CONFIG {missing}: no such file'),
        ([config, '--video', video, '--h264'], '--h264 is for the video'),
        ([config, '--repeats', '0'], '--repeats 0: give 1 or more'),
    ):
        with pytest.raises(SystemExit) as error:
            main(list(map(str, options)))
        assert error.value.code == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_settings_beside_the_usual_one(tmp_path):
    out = tmp_path / 'settings.csv'
    options = ['--groups', 'readers', '--seconds', '1', '--repeats', '1', '--out', out]
    # Without ffmpeg on the PATH, the same on every machine.
    done = run('pipeline_settings.py', *options, PATH='')
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'ffmpeg is not on the PATH' in done.stdout
    with out.open() as file:
        rows = list(csv.DictReader(file))
    settings = {(row['group'], row['setting']): float(row['ratio']) for row in rows}
    assert settings['reader', 'decord'] == settings['mode of decord', 'mode=accurate']
    assert settings['reader', 'decord'] == 1
    assert {'OpenCV', 'JPEG frames, cv2'} <= {name for _, name in settings}
    assert min(settings.values()) > 0
