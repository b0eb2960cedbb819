"""The residual block of TDN.

Paper: TDN: Temporal Difference Networks for Efficient Action Recognition
(CVPR 2021), https://arxiv.org/abs/2012.10071
"""

from typing import Any, Optional

from torch import Tensor, nn

from mmtemporal.models.layers import LongTermTDM, TemporalShift
from mmtemporal.ops import checkpointed


class TDBlock(nn.Module):
    """A residual block with temporal layers behind its first convolution.

    ::

        x -- conv1 -- L-TDM -- shift -- conv2 -- conv3 -- + -- ReLU
        +------------------- shortcut -------------------+

    A basic block has no third convolution. The feature maps between the first and the
    second are seven times what they work on, and cheap; so what makes them has
    activation checkpointing.

    Args:
        block: mmaction2's ``Bottleneck`` or ``BasicBlock``.
        ltdm: The long-term module, or None.
        shift: The temporal shift, or None.

    Shape:
        - input: (n * t, c, h, w)
        - output: that of ``block``
    """

    def __init__(
        self,
        block: Any,
        ltdm: Optional[LongTermTDM],
        shift: Optional[TemporalShift],
    ) -> None:
        super().__init__()
        self.conv1 = block.conv1
        self.ltdm = ltdm
        self.shift = shift
        self.conv2 = block.conv2
        self.conv3 = getattr(block, 'conv3', None)
        self.downsample = block.downsample
        # Under the name that Grad-CAM looks for.
        self.relu = block.relu

    def forward(self, x: Tensor) -> Tensor:
        norms = [] if self.ltdm is None else [self.ltdm]
        out = checkpointed(self._mix, self.conv1(x), *norms, small=False)
        out = self.conv2(out)
        if self.conv3 is not None:
            out = self.conv3(out)
        if self.downsample is not None:
            x = self.downsample(x)
        return self.relu(out + x)

    def _mix(self, x: Tensor) -> Tensor:
        for layer in (self.ltdm, self.shift):
            if layer is not None:
                x = layer(x)
        return x
