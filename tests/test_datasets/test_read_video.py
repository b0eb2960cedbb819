"""One video, read as the test set of a config is."""

import pytest
import torch
from mmaction.utils import register_all_modules
from mmengine import Config
from stock_config import SIZE, T, small_config

from mmtemporal.datasets import make_motion_clips
from mmtemporal.datasets.read_video import read_video


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    register_all_modules()
    folder = tmp_path_factory.mktemp('data')
    return make_motion_clips(folder / 'c', num_train=8, num_val=8, size=SIZE)


def test_configs_for_folders_of_frames_read_videos(root):
    cfg = small_config('TANet', root)
    video = root / 'val/000000.mp4'
    (inputs,) = read_video(cfg, video)['inputs']
    assert inputs.shape == (T, 3, SIZE, SIZE)
    steps = [dict(step) for step in cfg.test_pipeline if step['type'] != 'DecordInit']
    for step in steps:
        if step['type'] == 'DecordDecode':
            step['type'] = 'RawFrameDecode'
    (same,) = read_video(Config(dict(test_pipeline=steps)), video)['inputs']
    assert torch.equal(same, inputs)


def test_unreadable_videos(root, tmp_path):
    cfg = small_config('TANet', root)
    with pytest.raises(ValueError, match='nothing.mp4 is no file'):
        read_video(cfg, tmp_path / 'nothing.mp4')
    (tmp_path / 'text.mp4').write_text('no video')
    with pytest.raises(ValueError, match='no test_pipeline'):
        read_video(Config(), tmp_path / 'text.mp4')
    with pytest.raises(ValueError, match='cannot read .*text.mp4 by the test_pipeline'):
        read_video(cfg, tmp_path / 'text.mp4')
