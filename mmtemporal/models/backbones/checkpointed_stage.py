"""Activation checkpointing that does not disturb batch norms."""

from contextlib import contextmanager, nullcontext

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class CheckpointedStage(nn.Sequential):
    """A stage whose blocks recompute their activations in the backward pass.

    The recomputation leaves the running statistics of batch norms alone, so
    training is equal to training without checkpointing. (Plain checkpointing
    updates them twice a step.) Child names are those of ``nn.Sequential``.

    Shape:
        - input, output: those of the blocks in a row
    """

    def forward(self, x: Tensor) -> Tensor:
        for block in self:
            if x.requires_grad:
                x = checkpoint(
                    block,
                    x,
                    use_reentrant=False,
                    context_fn=lambda block=block: (
                        nullcontext(),
                        _frozen_statistics(block),
                    ),
                )
            else:
                x = block(x)
        return x


@contextmanager
def _frozen_statistics(block: nn.Module):
    """Keeps batch norms from updating, while they still use batch statistics."""
    norms = [m for m in block.modules() if isinstance(m, _BatchNorm)]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, counter) in zip(norms, kept):
            norm.momentum, norm.num_batches_tracked = momentum, counter
