"""Trainings in processes that can be killed, and what they leave."""

import os
import signal
import sys

import torch
from adapters import RESNET
from forked import CONTEXT
from forked import start as start_process
from mmengine import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from stock_config import T, small_config


def tiny_config(data_root, work_dir, epochs, hook=True, workers=0):
    """Return a training with random crops and flips, dropout and averaged weights."""
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
    """Kill this process before it does something to a checkpoint for the nth time.

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
    Config.pretty_text = ''  # formatting it takes longer than the training
    runner = Runner.from_cfg(cfg)
    runner.register_hook(EachIsTheBest())
    if ready:
        runner.register_hook(Ready(ready))
    if kill:
        kill_at_file(*kill)
    runner.train()


def start(*args):
    return start_process(train, *args)


def finish(cfg):
    child = start(cfg)
    child.join()
    assert child.exitcode == 0


def was_killed(child):
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


def killed_at_file(cfg, moment, number):
    """Train until a file is touched; return whether the training was not over."""
    return was_killed(start(cfg, None, (moment, number)))


def killed_after(cfg, seconds):
    """Train for a while; return whether the training was not over."""
    ready = CONTEXT.Event()
    child = start(cfg, ready)
    ready.wait(60)
    child.join(seconds)
    child.kill()
    return was_killed(child)


def last_checkpoint(work_dir):
    return torch.load((work_dir / 'last_checkpoint').read_text())


def assert_nothing_is_lost(work_dir, epochs):
    """Check the files that a kill left; return after how many epochs they are."""
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
    """Return what the last checkpoint says of the training, but times and paths."""
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
    """Return the name and the weights of the best checkpoint.

    A kill can leave one more, just before the one that was the best is removed.
    """
    file = max(work_dir.glob('best_*.pth'), key=lambda file: file.stat().st_mtime)
    return file.name, torch.load(file)['state_dict']


def differences(a, b, name=''):
    """List where two nested structures differ by as little as a bit."""
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
