"""Trainings that are killed at any moment, and go on as if they had not been."""

import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from functools import partial
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from adapters import RESNET
from host_libraries import hidden
from mmengine import Config
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from stock_config import SIZE, T, small_config

from mmtemporal.datasets import make_motion_clips
from mmtemporal.engine import ExactResumeHook

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
# Children are forked from a process that has imported everything, but has never run a
# backward pass, whose threads would not survive that.
CONTEXT = multiprocessing.get_context('forkserver')
CONTEXT.set_forkserver_preload(
    [
        'matplotlib.pyplot',
        'mmtemporal',
        'mmtemporal.models',
        'mmtemporal.engine',
        *(f'mmaction.{part}' for part in ('datasets', 'engine', 'evaluation')),
        'mmaction.visualization',
        'torch._dynamo',
    ]
)


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'motion_clips'
    return make_motion_clips(
        root, num_train=CLIPS, num_val=CLIPS, size=SIZE, num_frames=8
    )


@pytest.fixture
def folder(tmp_path):
    """Holds checkpoints, which are too large to be left behind."""
    yield tmp_path / 'runs'
    shutil.rmtree(tmp_path / 'runs', ignore_errors=True)


def tiny_config(data_root, work_dir, epochs, hook=True, workers=0):
    """Returns a training with random crops and flips, dropout and averaged weights."""
    cfg = small_config('TANet', data_root, workers=workers)
    cfg.model.backbone = dict(
        type='mmtemporal.TemporalAdapter',
        backbone=RESNET,
        temporal=dict(type='TAM'),
        num_segments=T,
    )
    cfg.model.cls_head.update(in_channels=128, dropout_ratio=0.5)
    pipeline = cfg.train_dataloader.dataset.pipeline
    pipeline[3:3] = [dict(type='RandomResizedCrop'), dict(type='Flip')]
    cfg.val_dataloader.update(num_workers=0, persistent_workers=False)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.serialize_data = False  # which takes a second
    cfg.custom_hooks = [dict(type='EMAHook')]
    if hook:
        cfg.custom_hooks.append(dict(type='mmtemporal.ExactResumeHook'))
    cfg.train_cfg.max_epochs = epochs
    cfg.work_dir = str(work_dir)
    cfg.log_level = 'ERROR'
    return cfg


class EachIsTheBest(Hook):
    """Makes every validation better than the ones before."""

    priority = 'HIGH'

    def after_val_epoch(self, runner, metrics):
        metrics['progress'] = runner.epoch


class Ready(Hook):
    def __init__(self, event):
        self.event = event

    def before_train(self, runner):
        self.event.set()


def kill_at_file(moment, number):
    """Kills this process before it does something to a checkpoint for the nth time.

    Where a file is opened to be written, it is killed just after that.
    """
    count = 0

    def audit(event, args):
        nonlocal count
        if event not in ('open', 'os.rename', 'os.remove'):
            return
        kind = os.path.basename(str(args[0])).split('_')[0]
        if f'{event} {kind}' != moment:
            return
        if event == 'open' and args[1] not in ('w', 'wb'):
            return
        count += 1
        if count == number:
            if event == 'open':
                os.write(os.open(args[0], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), b'?')
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)


def train(cfg, ready=None, kill=None):
    torch.set_num_threads(1)
    Config.pretty_text = ''  # formatting it takes longer than the training
    runner = Runner.from_cfg(cfg)
    runner.register_hook(EachIsTheBest())
    if ready:
        runner.register_hook(Ready(ready))
    if kill:
        kill_at_file(*kill)
    runner.train()


def start(*args):
    child = CONTEXT.Process(target=train, args=args)
    with hidden():
        child.start()
    return child


def finish(cfg):
    child = start(cfg)
    child.join()
    assert child.exitcode == 0


def was_killed(child):
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


def killed_at_file(cfg, moment, number):
    """Trains until a file is touched; returns whether the training was not over."""
    return was_killed(start(cfg, None, (moment, number)))


def killed_after(cfg, seconds):
    """Trains for a while; returns whether the training was not over."""
    ready = CONTEXT.Event()
    child = start(cfg, ready)
    ready.wait(60)
    child.join(seconds)
    child.kill()
    return was_killed(child)


def last_checkpoint(work_dir):
    return torch.load((work_dir / 'last_checkpoint').read_text())


def assert_nothing_is_lost(work_dir, epochs):
    """Checks the files that a kill left; returns after how many epochs they are."""
    if not (work_dir / 'last_checkpoint').exists():
        assert epochs == 0
        return 0
    checkpoint = last_checkpoint(work_dir)
    assert checkpoint['meta']['epoch'] >= epochs
    best = [torch.load(file) for file in work_dir.glob('best_*.pth')]
    recorded = checkpoint['message_hub']['runtime_info'].get('best_score', 0)
    assert max([0, *(file['meta']['epoch'] for file in best)]) >= recorded
    return checkpoint['meta']['epoch']


def state_of(work_dir):
    """Returns what the last checkpoint says of the training, but times and paths."""
    checkpoint = last_checkpoint(work_dir)
    return dict(
        loss=checkpoint['message_hub']['log_scalars']['train/loss'].data[0].tolist(),
        epoch=checkpoint['meta']['epoch'],
        iteration=checkpoint['meta']['iter'],
        **{
            key: checkpoint[key]
            for key in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')
        },
    )


def best_of(work_dir):
    """Returns the name and the weights of the best checkpoint.

    A kill can leave one more, just before the one that was the best is removed.
    """
    file = max(work_dir.glob('best_*.pth'), key=lambda file: file.stat().st_mtime)
    return file.name, torch.load(file)['state_dict']


def differences(a, b, name=''):
    """Lists where two nested structures differ by as little as a bit."""
    if isinstance(a, torch.Tensor):
        return [] if torch.equal(a, b) else [name]
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        pairs = ((key, a[key], b[key]) for key in a)
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        pairs = ((i, x, y) for i, (x, y) in enumerate(zip(a, b)))
    else:
        return [] if a == b else [name]
    return [x for key, *pair in pairs for x in differences(*pair, f'{name}/{key}')]


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
        # What docs/resume.md says of trainings without the hook.
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


def resumed_runner(**loop):
    return SimpleNamespace(
        train_loop=Mock(spec=EpochBasedTrainLoop, max_epochs=9, **loop),
        val_loop=Mock(),
        message_hub=MessageHub('resumed'),
        cfg=dict(randomness=dict(seed=0)),
    )


@pytest.mark.parametrize(
    ('epoch', 'validated', 'begin', 'interval', 'runs'),
    [
        (0, None, 0, 1, False),  # nothing to resume
        (4, None, 1, 2, True),
        (4, 2, 1, 2, True),
        (4, 4, 1, 2, False),
        (3, 2, 1, 2, False),
        (4, None, 5, 2, False),
        (9, None, 5, 2, True),  # the last one
    ],
)
def test_the_hook_makes_up_for_a_validation(epoch, validated, begin, interval, runs):
    runner = resumed_runner(epoch=epoch, val_begin=begin, val_interval=interval)
    if validated:
        runner.message_hub.update_info('validated_epoch', validated)
    ExactResumeHook().before_train(runner)
    assert runner.val_loop.run.called == runs
    runner.val_loop = None  # --no-validate
    ExactResumeHook().before_train(runner)


def test_the_hook_refuses_what_it_cannot_do():
    runner = resumed_runner(epoch=0)
    ExactResumeHook().before_train(runner)
    for cfg in ({}, dict(randomness=dict(seed=None))):
        runner.cfg = cfg
        with pytest.raises(ValueError, match='set randomness'):
            ExactResumeHook().before_train(runner)
    runner.train_loop = Mock(spec=IterBasedTrainLoop)
    with pytest.raises(ValueError, match='needs epochs.*set train_cfg.type'):
        ExactResumeHook().before_train(runner)
