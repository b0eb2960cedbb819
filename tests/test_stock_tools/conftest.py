"""What the tests of the stock tools share: clips, and a trained model a method."""

import shutil
from types import SimpleNamespace

import pytest
from selection import slow_but
from stock_config import (
    METHODS,
    NUM_TRAIN,
    NUM_VAL,
    SIZE,
    run_tool,
    small_config,
)

from mmtemporal.datasets import make_motion_clips


@pytest.fixture(scope='session', params=slow_but(['TANet'], METHODS))
def name(request):
    return request.param


@pytest.fixture(scope='session')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'motion_clips'
    return make_motion_clips(
        root, num_train=NUM_TRAIN, num_val=NUM_VAL, size=SIZE, num_frames=8
    )


@pytest.fixture(scope='session')
def clip(data_root):
    return str(data_root / 'val/000000.mp4')


@pytest.fixture
def work_dir(tmp_path):
    """A folder for checkpoints, which are too large to be left behind."""
    yield tmp_path / 'work'
    shutil.rmtree(tmp_path / 'work', ignore_errors=True)


@pytest.fixture
def write_config(tmp_path, data_root):
    """Write a small config with changes; return its path."""

    def write(name, changes=None):
        cfg = small_config(name, data_root)
        cfg.merge_from_dict(changes or {})
        cfg.dump(tmp_path / 'config.py')
        return tmp_path / 'config.py'

    return write


@pytest.fixture(scope='session')
def trained(name, data_root, tmp_path_factory):
    """One epoch of ``python -m mmtemporal.tools train``."""
    folder = tmp_path_factory.mktemp(f'trained_{name}')
    config, work_dir = folder / 'config.py', folder / 'work'
    small_config(name, data_root, workers=2).dump(config)
    done = run_tool('train', config, '--work-dir', work_dir, fresh=name == 'TANet')
    yield SimpleNamespace(
        name=name,
        config=str(config),
        work_dir=work_dir,
        checkpoint=str(work_dir / 'epoch_1.pth'),
        output=done.stdout + done.stderr,
    )
    shutil.rmtree(work_dir)


@pytest.fixture(scope='session')
def tested(trained):
    """``test.py --dump`` with the trained model."""
    work_dir = trained.work_dir / 'test'
    dump = str(work_dir / 'scores.pkl')
    run_tool(
        *('test', trained.config, trained.checkpoint),
        *('--work-dir', work_dir, '--dump', dump),
        fresh=trained.name == 'TANet',
    )
    return SimpleNamespace(work_dir=work_dir, dump=dump)
