"""Activation checkpointing that does not disturb batch norms."""

from torch import Tensor, nn

from mmtemporal.ops import recompute


class CheckpointedStage(nn.Sequential):
    """A stage whose blocks recompute their activations in the backward pass.

    Training is equal to training without, running statistics included. Child names
    are those of ``nn.Sequential``.

    Shape:
        - input, output: those of the blocks in a row
    """

    def forward(self, x: Tensor) -> Tensor:
        for block in self:
            x = recompute(block, x, block, random=True)
        return x
