"""A small set of motion clips, for all tests of them."""

import shutil
from pathlib import Path

import pytest
from small_clips import SMALL

from mmtemporal.datasets import make_motion_clips


@pytest.fixture(scope='session')
def small_set(tmp_path_factory):
    return make_motion_clips(tmp_path_factory.mktemp('clips') / 'set', **SMALL)


@pytest.fixture
def own_set(small_set, tmp_path):
    """A copy, which a test may change."""
    return Path(shutil.copytree(small_set, tmp_path / 'set'))
