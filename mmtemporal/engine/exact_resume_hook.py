"""Make a resumed training equal to an uninterrupted one."""

import random
from functools import partial

import numpy as np
import torch
from mmengine.dataset import worker_init_fn
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmtemporal.registry import HOOKS

VALIDATED = 'validated_epoch'


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Give every epoch random numbers of its own, which a resumed run draws again.

    Checkpoints hold no state of random generators, so that a resumed run crops,
    flips and drops out like the first epochs again. Here the generators of this
    process and of the data workers start every epoch from the seed of the config and
    the number of the epoch. Persistent workers are started anew for that, once an
    epoch.

    It also validates before it goes on: the checkpoint of an epoch is written before
    its validation, which a kill may have prevented, and with it the best checkpoint.

    A ``worker_init_fn`` of the config is replaced. ``docs/resume_training.md`` says
    what else must stay the same.

    Raises:
        ValueError: If the config sets no ``randomness.seed``, or trains by
            iterations, where no epoch starts.
    """

    # After CheckpointHook, which must know the best score when it validates.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        # Not before_run, which is called for tests, too.
        _check(runner)
        if runner.val_loop is not None and _should_be_validated(runner):
            runner.val_loop.run()

    def before_val_epoch(self, runner: Runner) -> None:
        # Kept by the checkpoint that is written again for the best score.
        runner.message_hub.update_info(VALIDATED, runner.epoch)

    def before_train_epoch(self, runner: Runner) -> None:
        seed = _mix(runner.seed, runner.epoch)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        loader = runner.train_dataloader
        if loader.num_workers == 0:
            return
        loader.worker_init_fn = partial(
            worker_init_fn,
            num_workers=loader.num_workers,
            rank=get_rank(),
            seed=_mix(seed, get_rank()),
        )
        # Persistent workers live in this iterator and end with it.
        loader._iterator = None


def _check(runner: Runner) -> None:
    if not isinstance(runner.train_loop, EpochBasedTrainLoop):
        raise ValueError(
            f'ExactResumeHook needs epochs, got {type(runner.train_loop).__name__}; '
            "set train_cfg.type='EpochBasedTrainLoop' or take the hook out"
        )
    if runner.cfg.get('randomness', {}).get('seed') is None:
        raise ValueError(
            'ExactResumeHook needs a seed that is the same when the training is '
            'resumed, got none; set randomness=dict(seed=0)'
        )


def _should_be_validated(runner: Runner) -> bool:
    """Return whether a resumed training lacks the validation of its last epoch."""
    loop = runner.train_loop
    if loop.epoch == 0:
        return False
    # What the loop does after an epoch.
    loop._decide_current_val_interval()
    due = loop.epoch >= loop.val_begin and (
        loop.epoch % loop.val_interval == 0 or loop.epoch == loop.max_epochs
    )
    return due and runner.message_hub.get_info(VALIDATED) != loop.epoch


def _mix(*numbers: int) -> int:
    """Return a seed that another choice of numbers does not give, small enough for all.

    numpy refuses more than 32 bits, and the number of a worker is added.
    """
    return int(np.random.SeedSequence(numbers).generate_state(1)[0]) // 2
