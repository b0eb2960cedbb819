"""What temporal layers learn, as curves of the training."""

from contextlib import ExitStack
from typing import Any, Callable

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor

from mmtemporal.models.layers.temporal_layer import temporal_layers
from mmtemporal.registry import HOOKS
from mmtemporal.visualization.recording import Record, record


@HOOKS.register_module()
class TemporalStatisticsHook(Hook):
    """Log what temporal layers compute for a training batch, every so often.

    The scalars go to whatever ``vis_backends`` the visualizer has, TensorBoard among
    them, as ``temporal/NAME OF THE LAYER/...``:

    - TAM: ``kernel_past1``, ``kernel_present``, ``kernel_future1``, ...: the mean
      kernel; ``importance_mean`` and ``importance_std``
    - TemporalInterlace: ``offset_group1``, ...: the mean of how far a learnable group
      moves either way, in frames; ``weight_first``, ``weight_middle`` and
      ``weight_last``: the mean weights of these frames
    - LongTermTDM: ``gate_mean`` and ``gate_std``, of means over space; and for TDN
      ``difference_mean``, of the sizes of differences within windows
    - TAdaConv and TAdaBlock: ``calibration_mean`` and ``calibration_std``
    - a layer of your own: ``NAME_mean`` and ``NAME_std`` of whatever else it records

    Means and deviations are over the clips of the batch, channels and frames. Layers
    record only in the iterations that are logged; others cost nothing. In distributed
    training it is the batch of the first process.

    A compiled model (``compile=True``) records nothing: then a warning is
    logged, and nothing else.

    ::

        custom_hooks = [dict(type='mmtemporal.TemporalStatisticsHook', interval=100)]

    Args:
        interval: Number of iterations between two logs.

    Raises:
        ValueError: The model has no such layer.
    """

    def __init__(self, interval: int = 100) -> None:
        self.interval = interval
        self.recording = ExitStack()
        self.records: list[Record] = []
        self.enabled = False

    def before_train(self, runner: Runner) -> None:
        layers = [layer for _, layer in temporal_layers(runner.model)]
        if not any(_is_logged(name) for layer in layers for name in layer.records):
            raise ValueError(
                'TemporalStatisticsHook found nothing to log: the model has no '
                'temporal layer that computes anything from the clip; remove it from '
                'custom_hooks'
            )
        self.enabled = is_main_process()
        if self.enabled and runner.cfg.get('compile'):
            self.enabled = False
            runner.logger.warning(
                'TemporalStatisticsHook logs nothing, because a compiled model records '
                'nothing; set compile=False'
            )

    def before_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        if self.enabled and self.every_n_train_iters(runner, self.interval):
            model = runner.model
            model = model.module if is_model_wrapper(model) else model
            self.records = self.recording.enter_context(record(model))

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        if not (self.enabled and self.every_n_train_iters(runner, self.interval)):
            return
        self.recording.close()
        runner.visualizer.add_scalars(summarise(self.records), step=runner.iter + 1)


def summarise(records: list[Record]) -> dict[str, float]:
    """Return the scalars of all layers, by their tags."""
    scalars = {}
    for entry in records:
        for name, value in entry.values.items():
            if _is_logged(name):
                measure = _MEASURES.get(name) or _mean_and_std(name)
                for tag, scalar in measure(value.float()).items():
                    scalars[f'temporal/{entry.name}/{tag}'] = scalar
    # At once, so that a GPU is waited for a single time.
    return dict(zip(scalars, torch.stack([*scalars.values()]).tolist()))


def _measure_kernel(kernel: Tensor) -> dict[str, Tensor]:
    reach = kernel.size(1) // 2
    names = [
        *(f'past{i}' for i in range(reach, 0, -1)),
        'present',
        *(f'future{i}' for i in range(1, reach + 1)),
    ]
    means = kernel.mean((0, 2))
    return {f'kernel_{name}': mean for name, mean in zip(names, means)}


def _measure_offset(offset: Tensor) -> dict[str, Tensor]:
    means = offset.abs().mean(0)
    return {f'offset_group{i}': mean for i, mean in enumerate(means, 1)}


def _measure_weight(weight: Tensor) -> dict[str, Tensor]:
    means = weight.mean((0, 1))
    frames = dict(first=0, middle=len(means) // 2, last=-1)
    return {f'weight_{name}': means[frame] for name, frame in frames.items()}


def _mean_and_std(name: str) -> Callable[[Tensor], dict[str, Tensor]]:
    return lambda value: {f'{name}_mean': value.mean(), f'{name}_std': value.std()}


def _is_logged(name: str) -> bool:
    """Whether a value has scalars, and is not for figures alone."""
    return name not in ('gate_map', 'matrix')


# By the names of the values, see ``record``. Of others, mean and deviation are logged.
_MEASURES = {
    'kernel': _measure_kernel,
    'offset': _measure_offset,
    'weight': _measure_weight,
    'difference': lambda value: {'difference_mean': value.abs().mean()},
}
