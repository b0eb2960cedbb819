"""Activation checkpointing for the stages of a network."""

from torch import Tensor, nn

from mmtemporal.ops import checkpointed


class CheckpointedStage(nn.Sequential):
    """A stage with activation checkpointing, block by block.

    Training is equal to training without, running statistics included. Child names
    are those of ``nn.Sequential``.

    Shape:
        - input, output: those of the blocks in a row
    """

    def forward(self, x: Tensor) -> Tensor:
        for block in self:
            x = checkpointed(block, x, block, random=True)
        return x
