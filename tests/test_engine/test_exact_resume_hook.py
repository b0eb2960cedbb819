"""The hook for exact resuming: the validation it makes up for, and what it refuses."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from mmengine.logging import MessageHub
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop

from mmtemporal.engine import ExactResumeHook


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
