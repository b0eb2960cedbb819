"""A temporal layer of your own, in one file: motion excitation.

Paper: TEA: Temporal Excitation and Aggregation for Action Recognition (CVPR 2020),
https://arxiv.org/abs/2004.01398, Section 3.2

With the folder of this file on ``PYTHONPATH``, any backbone takes the layer::

    backbone=dict(
        type='mmtemporal.TemporalAdapter',
        backbone=dict(type='MobileNetV2'),
        temporal=dict(type='motion_excitation.MotionExcitation'),
        num_segments=8,
    )

``docs/add_a_method.md`` explains each part.
"""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from mmtemporal.models.backbones import TemporalResNet
from mmtemporal.models.layers import TemporalLayer
from mmtemporal.ops import split_clips
from mmtemporal.registry import MODELS


@MODELS.register_module()
class MotionExcitation(TemporalLayer, nn.Module):
    r"""Strengthen the channels that change from a frame to the next.

    With :math:`b` the reduced features and :math:`q` the same after a depthwise
    convolution, the gate of frame t is computed from their difference, zero for the
    last frame:

    .. math::
        y_t = x_t \odot 2\,\sigma(\text{expand}(\text{mean}_{hw}(q_{t+1} - b_t)))

    It starts at 1, so a new layer changes nothing.

    Args:
        in_channels: Number of channels.
        num_segments: Number T of frames of a clip.
        reduction: The differences have ``in_channels // reduction`` channels.

    Shape:
        - input: (n * t, c, h, w), the frames of a clip being consecutive rows
        - output: (n * t, c, h, w)
    """

    # Figures and statistics know this name.
    records = ('gate',)

    def __init__(
        self, in_channels: int, num_segments: int, reduction: int = 16
    ) -> None:
        super().__init__()
        self.num_segments = num_segments
        hidden = max(in_channels // reduction, 1)
        self.reduce = nn.Conv2d(in_channels, hidden, 1)
        self.align = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.expand = nn.Conv2d(hidden, in_channels, 1)
        self.init_identity()

    def init_identity(self) -> None:
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.expand.bias)

    def forward(self, x: Tensor) -> Tensor:
        reduced = self.reduce(x)
        aligned = split_clips(self.align(reduced), self.num_segments)
        reduced = split_clips(reduced, self.num_segments)
        motion = F.pad(aligned[:, 1:] - reduced[:, :-1], (0, 0) * 3 + (0, 1))
        # (n, t, c / r, h, w) -> (n * t, c, 1, 1)
        gate = (
            2 * self.expand(motion.flatten(0, 1).mean((2, 3), keepdim=True)).sigmoid()
        )
        self.record(gate=split_clips(gate[..., 0, 0], self.num_segments))
        return x * gate


@MODELS.register_module()
class MotionResNet(TemporalResNet):
    """ResNet with motion excitation in front of the second convolution of its blocks.

    Args, Shape: See :class:`~mmtemporal.models.TemporalResNet`.
    """

    # The child under which a block keeps what it had: files of ImageNet know that.
    wrapper = 'block'

    def make_block(self, block: nn.Module, stage: int) -> nn.Module:
        layer = MotionExcitation(block.conv2.in_channels, self.num_segments)
        block.conv2 = nn.Sequential(OrderedDict(excitation=layer, block=block.conv2))
        return block
