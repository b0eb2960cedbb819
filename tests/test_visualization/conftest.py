"""Videos, and recognizers of every family with random weights."""

from functools import lru_cache
from types import SimpleNamespace

import pytest
import torch
from stock_config import SIZE, build_small, small_config

from mmtemporal.datasets import make_motion_clips
from mmtemporal.visualization.clip import look_at


@pytest.fixture(scope='session')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('pictures') / 'motion_clips'
    return make_motion_clips(root, num_train=8, num_val=8, size=SIZE, num_frames=8)


@pytest.fixture(scope='session')
def videos(data_root):
    return sorted((data_root / 'val').glob('*.mp4'))


@pytest.fixture(scope='session')
def networks(data_root, tmp_path_factory):
    """Build a network once: its model, its files, and two clips that it has seen."""
    checkpoints = []

    @lru_cache(None)
    def build(name):
        folder = tmp_path_factory.mktemp(f'pictures_{name}')
        small_config(name, data_root).dump(folder / 'config.py')
        model = build_small(name, data_root)
        with torch.no_grad():
            for parameter in model.parameters():
                if not parameter.any():  # so that every branch has an effect
                    parameter.normal_(std=0.05)
        checkpoint = folder / 'model.pth'
        torch.save(dict(state_dict=model.state_dict()), checkpoint)
        checkpoints.append(checkpoint)
        clips = [look_at(model, data_root / f'val/{i:06d}.mp4') for i in range(2)]
        return SimpleNamespace(
            name=name,
            model=model,
            config=folder / 'config.py',
            checkpoint=checkpoint,
            clips=clips,
        )

    yield build
    for checkpoint in checkpoints:  # they are large
        checkpoint.unlink()
