"""The blocks of TAdaConvNeXt and TAdaConvNeXtV2.

Papers: TAda! Temporally-Adaptive Convolutions for Video Understanding (ICLR
2022), https://arxiv.org/abs/2110.06178; Temporally-Adaptive Models for
Efficient Video Understanding, https://arxiv.org/abs/2308.05787
"""

from typing import Any, Callable

import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from mmtemporal.models.layers import TAdaConv2d, quick_gelu, temporal_pool

from .temporal_convnext import EPS


class TAdaConvNeXtBlock(nn.Module):
    """A ConvNeXt block with a calibrated depthwise convolution.

    ::

        x --+-- TAdaConv 7x7 -- norm -- linear -- GELU -- linear -- scale --+--
            +---------------------------------------------------------------+

    Args:
        channels: Number of channels.
        num_segments: Number of frames of a clip.
        routing: Type and arguments of the routing function.
        drop_path_rate: How often the block is skipped, per clip, in training.
        layer_scale_init_value: Initial value of the scale (gamma).

    Shape:
        - input, output: (n * t, channels, h, w)
    """

    activation: Callable[[Tensor], Tensor] = staticmethod(F.gelu)

    def __init__(
        self,
        channels: int,
        num_segments: int,
        routing: dict,
        drop_path_rate: float,
        layer_scale_init_value: float,
    ) -> None:
        super().__init__()
        self.num_segments = num_segments
        self.dwconv = TAdaConv2d(
            channels,
            channels,
            7,
            padding=3,
            groups=channels,
            num_segments=num_segments,
            calibrate='cout',
            calibrate_bias=True,
            routing=routing,
        )
        self.norm = nn.LayerNorm(channels, eps=EPS)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(self.pwconv2.bias.new_empty(channels))
        nn.init.constant_(self.gamma, layer_scale_init_value)
        self.drop_path = DropPath(drop_path_rate)

    def init_identity(self) -> None:
        """Make the block, in time, the identity: frames do not see each other."""
        self.dwconv.init_identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.normalise(self.dwconv(x))
        y = self.gamma * self.pwconv2(self.activation(self.pwconv1(y)))
        # (n * t, h, w, c) -> (n, t, c, h, w): a clip is skipped as a whole.
        y = y.permute(0, 3, 1, 2).unflatten(0, (-1, self.num_segments))
        return x + self.drop_path(y).reshape(x.shape)

    def normalise(self, y: Tensor) -> Tensor:
        """Map (n * t, c, h, w) to (n * t, h, w, c)."""
        return self.norm(y.permute(0, 2, 3, 1))


class TAdaConvNeXtV2Block(TAdaConvNeXtBlock):
    r"""The block of TAdaConvNeXtV2, with temporal aggregation and QuickGELU.

    The mean of neighbouring frames is added to the frame, after a layer norm
    of its own, ``norm_avg``, that starts at zero:

    .. math:: z_t = \text{LN}(y_t) + \text{LN}_0((y_{t-1} + y_t + y_{t+1}) / 3)

    Args, Shape: See :class:`TAdaConvNeXtBlock`.
    """

    activation = staticmethod(quick_gelu)

    def __init__(self, channels: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(channels, *args, **kwargs)
        self.norm_avg = nn.LayerNorm(channels, eps=EPS)
        self.init_identity()

    def init_identity(self) -> None:
        super().init_identity()
        nn.init.zeros_(self.norm_avg.weight)
        nn.init.zeros_(self.norm_avg.bias)

    def normalise(self, y: Tensor) -> Tensor:
        mean = temporal_pool(y, self.num_segments)
        return super().normalise(y) + self.norm_avg(mean.permute(0, 2, 3, 1))
