"""Training and testing with the channels of a pixel beside each other in memory."""

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from mmtemporal.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the weights of 2-D convolutions, and so feature maps, channels last.

    Convolutions read their input in this order anyway, on CPUs and on GPUs in half
    precision, and otherwise copy it first; depthwise ones gain most. Results are the
    same but for rounding. ``docs/speed.md`` has what it saves.

    It is for runs of one process. ``DistributedDataParallel`` has laid out memory for
    the gradients before any hook is called; with weights in another order its first
    gradients would be wrong. There the hook changes nothing and says so.
    """

    def before_run(self, runner: Runner) -> None:
        if is_model_wrapper(runner.model):
            print_log(
                'ChannelsLastHook changes nothing in a distributed run',
                logger='current',
            )
        else:
            for module in runner.model.modules():
                # The stems of networks for clips are 3-D, which torch refuses.
                if isinstance(module, nn.Conv2d):
                    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
