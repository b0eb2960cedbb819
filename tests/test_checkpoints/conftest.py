"""What the tests of checkpoints share."""

import numpy as np
import pytest
import torch
from convert_tool import TINY
from published import build, make_checkpoint, write_config


@pytest.fixture
def src(tmp_path):
    torch.save(dict(state_dict=TINY), tmp_path / 'src.pth')
    return tmp_path / 'src.pth'


@pytest.fixture
def dst(tmp_path):
    return tmp_path / 'dst.pth'


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    return write_config(tmp_path_factory.mktemp('config'))


@pytest.fixture(scope='module')
def source(config, tmp_path_factory):
    file = tmp_path_factory.mktemp('source') / 'epoch_10.pth'
    torch.save(make_checkpoint(build(config), dict(classes=('a', np.int64(2)))), file)
    return file
