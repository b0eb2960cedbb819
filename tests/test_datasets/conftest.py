"""A small set of motion clips and made-up recordings, for all tests of them."""

import shutil
from pathlib import Path

import pytest
from small_clips import SMALL
from small_utd_mhad import FEW, write_recording

from mmtemporal.datasets import make_motion_clips
from mmtemporal.datasets.utd_mhad import prepare_utd_mhad, recordings


@pytest.fixture(scope='session')
def small_set(tmp_path_factory):
    return make_motion_clips(tmp_path_factory.mktemp('clips') / 'set', **SMALL)


@pytest.fixture
def own_set(small_set, tmp_path):
    """A copy, which a test may change."""
    return Path(shutil.copytree(small_set, tmp_path / 'set'))


@pytest.fixture
def few_recordings(monkeypatch):
    """Let the data set have six recordings."""
    monkeypatch.setattr(recordings, 'RECORDINGS', FEW)


@pytest.fixture
def depth_folder(few_recordings, tmp_path):
    """The recordings as their authors publish them."""
    folder = tmp_path / 'UTD-MHAD' / 'Depth'
    folder.mkdir(parents=True)
    for recording in FEW:
        write_recording(folder, recording)
    return folder


@pytest.fixture
def prepared(depth_folder, tmp_path):
    return prepare_utd_mhad(depth_folder, tmp_path / 'prepared')
