"""Videos for the tests of the demo."""

import pytest

from mmtemporal.datasets import make_motion_clips


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp('demo') / 'clips'
    return make_motion_clips(root, num_train=8, num_val=8, size=64, num_frames=24)


@pytest.fixture(scope='module')
def video(clips):
    return clips / 'val/000000.mp4'
