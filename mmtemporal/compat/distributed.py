"""Fixes for several processes on a machine without an accelerator."""

import atexit
import functools
import time
from typing import Any

import torch.distributed as torch_dist
from mmengine.device import get_device


def _init_gloo(backend: str, init_backend: str = 'torch', **kwargs: Any) -> None:
    """Join the process group without claiming a CUDA device."""
    if init_backend != 'torch':
        raise ValueError(
            f'got init_backend={init_backend!r} on a machine without accelerator, '
            "expected 'torch'; change env_cfg.dist_cfg.init_backend"
        )
    backend = 'gloo' if backend == 'nccl' else backend
    torch_dist.init_process_group(backend=backend, **kwargs)
    # A worker thread of Gloo that drops its last finished job while the interpreter
    # shuts down aborts the process (torch 2.13, also without this package): let the
    # threads come to rest first.
    atexit.register(time.sleep, 0.2)


def init_dist_on_cpu() -> bool:
    """Let ``--launcher pytorch`` start processes on CPU.

    Symptom: ``torch._C has no attribute '_cuda_setDevice'`` or a similar CUDA error.
    Cause: the launcher of mmengine always selects a CUDA device, and stock configs
    ask for NCCL.
    Acts when: mmengine finds no accelerator; NCCL then becomes Gloo.
    """
    from mmengine.dist import utils

    if get_device() != 'cpu' or utils._init_dist_pytorch is _init_gloo:
        return False
    utils._init_dist_pytorch = _init_gloo
    return True


def wrap_ddp_on_cpu() -> bool:
    """Let the runner wrap a model that lives on CPU.

    Symptom: ``DistributedDataParallel device_ids and output_device arguments only
    work with single-device/multiple-device GPU modules``.
    Cause: the runner always passes ``device_ids``.
    Acts when: mmengine finds no accelerator; the argument is then dropped.
    """
    if get_device() != 'cpu':
        return False
    from mmengine.model import MMDistributedDataParallel

    stock_init = MMDistributedDataParallel.__init__
    if hasattr(stock_init, '__wrapped__'):
        return False

    @functools.wraps(stock_init)
    def init(self: Any, module: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.pop('device_ids', None)
        stock_init(self, module, *args, **kwargs)

    MMDistributedDataParallel.__init__ = init
    return True
