"""Training and testing with the channels of a pixel beside each other in memory."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmtemporal.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the weights of 2-D convolutions, and so feature maps, channels last.

    Convolutions read their input in this order anyway, on CPUs and on GPUs in half
    precision, and otherwise copy it first; depthwise ones gain most. Results are the
    same but for rounding. On several GPUs, ``DistributedDataParallel`` was made before
    the weights are in this order; it copies gradients, and says so once.

    ``docs/speed.md`` has what it saves.
    """

    def before_run(self, runner: Runner) -> None:
        runner.model.to(memory_format=torch.channels_last)
