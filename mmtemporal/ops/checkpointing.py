"""Activation checkpointing that does not disturb batch norms."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from typing import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from .tracing import is_symbolic, is_traced

# Pixels of a feature map, see docs/speed.md.
_SMALL = 196


def checkpointed(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    *modules: nn.Module,
    random: bool = False,
    small: bool = True,
) -> Tensor:
    """Call a function with activation checkpointing: only its input is kept.

    The backward pass calls it again, up to where its last intermediate result is
    known. That call leaves the running statistics of batch norms alone, so training
    is equal to training without. (Plain checkpointing updates them twice a step.)

    Args:
        function: The function.
        x: Its argument.
        *modules: Those whose batch norms it uses.
        random: Whether it draws random numbers, which then are the same again.
        small: Whether small feature maps are worth it, too. For them the function is
            called as it is otherwise: they take little memory, and the second call
            takes longer than what it computes.

    Shape:
        - x and output: those of ``function``
    """
    if not torch.is_grad_enabled() or is_traced() or is_symbolic(x):
        return function(x)
    if not small and x.size(-2) * x.size(-1) < _SMALL:
        return function(x)
    return checkpoint(
        function,
        x,
        use_reentrant=False,
        preserve_rng_state=random,
        context_fn=lambda: (nullcontext(), _frozen_statistics(*modules)),
    )


@contextmanager
def _frozen_statistics(*modules: nn.Module) -> Iterator[None]:
    """Keep batch norms from updating, while they still use batch statistics."""
    norms = [m for each in modules for m in each.modules() if isinstance(m, _BatchNorm)]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm, (_, counter) in zip(norms, kept):
        # Another counter and not none, which SyncBatchNorm refuses.
        norm.momentum, norm.num_batches_tracked = 0.0, deepcopy(counter)
    try:
        yield
    finally:
        for norm, (momentum, counter) in zip(norms, kept):
            norm.momentum, norm.num_batches_tracked = momentum, counter
