"""Trainings that are killed at any moment, and go on as if they had not been."""

import random
import shutil
import time
from functools import partial

import pytest
from killed_trainings import (
    CONTEXT,
    assert_nothing_is_lost,
    best_of,
    differences,
    finish,
    killed_after,
    killed_at_file,
    start,
    state_of,
    tiny_config,
)
from stock_config import SIZE

from mmtemporal.datasets import make_motion_clips

CLIPS = 8
EPOCHS = 12
RANDOM_KILLS = 20
# What is opened is begun, and what is renamed has been written. In an epoch the last
# checkpoint is written twice: after the training, and with the new best score.
FILE_KILLS = [
    (f'{event} {kind}', number)
    for number in (1, 2)
    for event in ('open', 'os.rename', 'os.remove')
    for kind in ('epoch', 'best', 'last')
    if (event, kind) != ('os.remove', 'last')
]


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'motion_clips'
    return make_motion_clips(
        root, num_train=CLIPS, num_val=CLIPS, size=SIZE, num_frames=8
    )


@pytest.fixture
def folder(tmp_path):
    """Hold checkpoints, which are too large to be left behind."""
    yield tmp_path / 'runs'
    shutil.rmtree(tmp_path / 'runs', ignore_errors=True)


@pytest.mark.slow
def test_a_training_that_is_killed_again_and_again(data_root, folder):
    def config(work_dir):
        cfg = tiny_config(data_root, work_dir, EPOCHS)
        cfg.default_hooks.checkpoint.update(save_best='progress', rule='greater')
        cfg.resume = True
        return cfg

    ready = CONTEXT.Event()
    whole = start(config(folder / 'whole'), ready)
    ready.wait(120)
    begun = time.monotonic()
    whole.join()
    epoch = (time.monotonic() - begun) / EPOCHS
    work_dir = folder / 'killed'
    cfg = config(work_dir)

    def assert_the_same():
        assert differences(state_of(folder / 'whole'), state_of(work_dir)) == []
        assert differences(best_of(folder / 'whole'), best_of(work_dir)) == []

    generator = random.Random(0)
    kills = [partial(killed_at_file, moment=m, number=n) for m, n in FILE_KILLS]
    for _ in range(RANDOM_KILLS):
        seconds = generator.uniform(0, 1.5 * epoch)
        kills.append(partial(killed_after, seconds=seconds))
    epochs = 0
    for kill in kills:
        if not kill(cfg):  # it had come to its end
            assert_the_same()
            shutil.rmtree(work_dir)
            epochs = 0
            assert kill(cfg)
        epochs = assert_nothing_is_lost(work_dir, epochs)
    finish(cfg)
    assert_the_same()


@pytest.mark.slow
@pytest.mark.parametrize(
    ('workers', 'persistent', 'hook', 'dropout', 'exact'),
    [
        (0, False, True, 0.5, True),
        (2, False, True, 0.5, True),
        (2, True, True, 0.5, True),
        # What docs/resume_training.md says of trainings without the hook.
        (2, False, False, 0.0, True),
        (2, True, False, 0.0, False),
        (0, False, False, 0.5, False),
    ],
)
def test_resumed_from_the_first_epoch(
    data_root, folder, workers, persistent, hook, dropout, exact
):
    def config(work_dir):
        cfg = tiny_config(data_root, work_dir, 2, hook, workers)
        cfg.default_hooks.checkpoint.max_keep_ckpts = -1
        cfg.train_dataloader.persistent_workers = persistent
        cfg.model.cls_head.dropout_ratio = dropout
        return cfg

    finish(config(folder / 'whole'))
    cfg = config(folder / 'resumed')
    cfg.resume, cfg.load_from = True, str(folder / 'whole/epoch_1.pth')
    finish(cfg)
    whole, resumed = state_of(folder / 'whole'), state_of(folder / 'resumed')
    assert (differences(whole, resumed) == []) == exact
