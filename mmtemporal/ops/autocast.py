"""Leaving autocast, on any device."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def without_autocast(x: Tensor) -> AbstractContextManager:
    """Switches autocast off for what is computed from ``x``.

    Tensors without memory, on which sizes are computed, know no autocast.
    """
    if x.is_meta:
        return nullcontext()
    return torch.autocast(x.device.type, enabled=False)
