"""Leaving autocast, on any device."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from .tracing import is_symbolic


def without_autocast(x: Tensor) -> AbstractContextManager:
    """Switch autocast off for what is computed from ``x``.

    Tensors without memory, on which sizes are computed, know no autocast.
    """
    if is_symbolic(x) or x.is_meta:
        return nullcontext()
    return torch.autocast(x.device.type, enabled=False)
