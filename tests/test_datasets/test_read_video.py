"""One video, read as the test set of a config is."""

import cv2
import numpy as np
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


# --------------------------------------------------------------- folders of frames


def write_frames(folder, template, first, count=20):
    """Write plain pictures whose brightness tells their number."""
    folder.mkdir()
    (folder / 'readme.txt').write_text('no frame')
    for i in range(count):
        picture = np.full((40, 48, 3), 10 * i, np.uint8)
        cv2.imwrite(str(folder / template.format(first + i)), picture)
    return folder


def brightness(cfg, video):
    (inputs,) = read_video(cfg, video)['inputs']
    return (inputs.float().mean((1, 2, 3)) / 10).round().int().tolist()


def for_folders(cfg, **dataset):
    steps = [dict(step) for step in cfg.test_pipeline if step['type'] != 'DecordInit']
    for step in steps:
        if step['type'] == 'DecordDecode':
            step['type'] = 'mmaction.RawFrameDecode'
    cfg.test_pipeline = steps
    cfg.test_dataloader.dataset = dict(type='RawframeDataset', **dataset)
    return cfg


def test_folders_of_frames(root, tmp_path):
    cfg = small_config('TANet', root)
    middles = [2, 7, 12, 17]  # of 4 segments of 20 frames
    # A config of videos has no names of frames, so they are the usual ones.
    usual = write_frames(tmp_path / 'usual', 'img_{:05}.jpg', 1)
    assert brightness(cfg, usual) == middles
    assert brightness(for_folders(cfg), usual) == middles
    own = dict(filename_tmpl='{:03}.png', start_index=0)
    other = write_frames(tmp_path / 'other', '{:03}.png', 0)
    assert brightness(for_folders(cfg, **own), other) == middles
    wrapped = for_folders(cfg, **own).test_dataloader
    wrapped.dataset = dict(type='RepeatDataset', times=2, dataset=wrapped.dataset)
    assert brightness(cfg, other) == middles


def test_folders_without_the_frames(root, tmp_path):
    cfg = for_folders(small_config('TANet', root))
    (tmp_path / 'empty').mkdir()
    match = (
        'empty has 0 frames, and no img_00001.jpg; their names are '
        "test_dataloader.dataset.filename_tmpl='img_{:05}.jpg', counted from "
        'test_dataloader.dataset.start_index=1'
    )
    with pytest.raises(ValueError, match=match):
        read_video(cfg, tmp_path / 'empty')
    from_zero = write_frames(tmp_path / 'zero', 'img_{:05}.jpg', 0)
    with pytest.raises(ValueError, match='has 20 frames, and no img_00020.jpg'):
        read_video(cfg, from_zero)
    gap = write_frames(tmp_path / 'gap', 'img_{:05}.jpg', 1)
    (gap / 'img_00003.jpg').unlink()
    with pytest.raises(ValueError, match='has 19 frames, and no img_00003.jpg'):
        read_video(cfg, gap)
    other = write_frames(tmp_path / 'other', '{:03}.png', 0)
    with pytest.raises(ValueError, match='has 0 frames'):
        read_video(cfg, other)
    (other / 'img_00001.jpg').write_text('no picture')
    with pytest.raises(ValueError, match='cannot read .*other by the test_pipeline'):
        read_video(cfg, other)
    cfg.test_dataloader.dataset.modality = 'Flow'
    with pytest.raises(ValueError, match="modality='Flow'; only RGB"):
        read_video(cfg, gap)


def test_the_frame_rate_is_that_of_the_config(root, tmp_path):
    """Folders have none, so the same frames are taken of a file."""
    cfg = for_folders(small_config('TANet', root))
    sampler = dict(type='SampleFrames', clip_len=T, target_fps=1, test_mode=True)
    cfg.test_pipeline[0] = sampler
    folder = write_frames(tmp_path / 'frames', 'img_{:05}.jpg', 1)
    assert brightness(cfg, folder) == [8, 9, 10, 11]
    video = root / 'val/000000.mp4'
    (inputs,) = read_video(cfg, video)['inputs']
    sampler.pop('target_fps')
    cfg.test_pipeline[0] = sampler
    (same,) = read_video(cfg, video)['inputs']
    assert torch.equal(inputs, same)
