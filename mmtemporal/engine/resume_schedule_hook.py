"""Saying that a resumed training keeps the schedule it began with."""

import logging
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import _ParamScheduler
from mmengine.runner import Runner
from mmengine.utils import is_list_of

from mmtemporal.registry import HOOKS

# What changes while a schedule runs. The rest is what the config says.
_RUNNING = {
    'base_values',
    'best',
    'cooldown_counter',
    'last_step',
    'num_bad_epochs',
    'verbose',
    '_global_step',
    '_last_value',
}


@HOOKS.register_module()
class ResumeScheduleHook(Hook):
    """Warn when a resumed training does not follow ``param_scheduler`` of its config.

    A checkpoint holds the schedulers as they were configured, and ``--resume``
    restores all of it: with a new ``end``, ``milestones`` or ``T_max`` the learning
    rate goes on as before, and stays where the old schedule ended. That is mmengine's
    rule, and nothing is changed here; the warning names what differs.
    ``docs/resume_training.md`` says how to train for longer.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        # Ahead of the schedulers' own states, which are loaded after the weights.
        saved: Any = checkpoint.get('param_schedulers')
        built: Any = runner.param_schedulers
        # Of several optimizers there are lists by name; in testing nothing is built.
        if not runner._resume or not is_list_of(saved, dict):
            return
        if not is_list_of(built, _ParamScheduler):
            return
        built = [scheduler.state_dict() for scheduler in built]
        differences = [
            f'param_scheduler[{i}]: {text}'
            for i, states in enumerate(zip(saved, built))
            for text in _compare(*states)
        ]
        if len(saved) != len(built):
            differences.append(f'{len(saved)} schedulers, {len(built)} in the config')
        if differences:
            print_log(
                'The resumed training keeps the schedule of its checkpoint, not that '
                'of the config, so that rates go on as before and stay where the old '
                'schedule ends:\n  ' + '\n  '.join(differences) + '\nTo follow the '
                'config, set resume=False and load_from to the checkpoint, with '
                'param_scheduler and max_epochs of what is still to be trained.',
                logger='current',
                level=logging.WARNING,
            )


def _compare(saved: dict, built: dict) -> list[str]:
    """Describe what the config says otherwise than a checkpoint, of one scheduler."""
    return [
        f'{key}={_show(saved[key])}, {_show(built[key])} in the config'
        for key in sorted(saved.keys() & built.keys() - _RUNNING)
        if saved[key] != built[key]
    ]


def _show(value: object) -> object:
    """Return milestones, which schedulers count, as the config writes them."""
    return sorted(value.elements()) if hasattr(value, 'elements') else value
