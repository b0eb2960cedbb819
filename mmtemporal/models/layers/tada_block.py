"""The temporal block of TAdaFormer.

Paper: Temporally-Adaptive Models for Efficient Video Understanding,
https://arxiv.org/abs/2308.05787
"""

from typing import Optional

import torch.nn.functional as F
from torch import Tensor, nn

from mmtemporal.checks import check_choice, check_options
from mmtemporal.ops import fill_band, frame_means, temporal_mix, without_autocast

from .aggregation import aggregation_weights, scale_and_shift
from .temporal_layer import TemporalLayer
from .temporal_pool import temporal_pool
from .temporal_routing import AttentionRouting, quick_gelu

STD = 0.02  # of the weights, as in the authors' release
_ROUTING = dict(head_dim=64)
_ROUTING_KEYS = {'head_dim', 'kernel_sizes', 'reduction'}


class TemporalLinear(nn.Conv1d):
    """A linear layer that sees a frame and its neighbours at the same position.

    Args:
        in_channels: Number of channels of the input.
        out_channels: Number of channels of the output.

    Shape:
        - input: (n, t, h, w, in_channels)
        - output: (n, t, h, w, out_channels)
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        # One product of every frame with the weights of all three; then the results
        # are moved to the frames that they are part of, which copies less.
        weight = self.weight.permute(2, 0, 1).flatten(0, 1)  # (3 * m, c)
        last, own, following = F.linear(x, weight).chunk(3, -1)
        no_space = (0, 0) * 3  # (c, w, h) stay
        last = F.pad(last[:, :-1], (*no_space, 1, 0))
        following = F.pad(following[:, 1:], (*no_space, 0, 1))
        return last + own + following + self.bias  # type: ignore[operator]


class TAdaBlock(TemporalLayer, nn.Module):
    r"""Relate the patches of a clip's frames by a temporally-adaptive convolution.

    ::

        x -- linear -- TAdaConv --+-- bn ----------------------- + - QuickGELU -- linear
                                  +-- mean of frames -- bn_avg --+

    The convolution is depthwise. Its calibrations are what the routing function
    returns, and not one plus that, as everywhere else in the TAda networks:

    .. math::
        y_t = \alpha_t \odot (W * x_t) + \beta_t \odot b

    A new block returns zeros, since its last layer is zero.

    Args:
        channels: Number of channels C of the patches. The block computes with half
            as many.
        kernel_size: Frames that the first linear layer sees, 1 or 3.
        routing: Arguments of :class:`AttentionRouting`, such as
            ``dict(head_dim=16)`` for small networks.

    Shape:
        - input, output: (n, t, h, w, channels), with any t: tokens, in the grid that
          their patches make

    Raises:
        ValueError: An argument does not fit.
    """

    records: tuple[str, ...] = ('calibration', 'matrix')
    calibration_centre = 0.0  # They have either sign, and the norm restores the scale.

    def __init__(
        self, channels: int, kernel_size: int = 1, routing: Optional[dict] = None
    ) -> None:
        super().__init__()
        check_choice('kernel_size', kernel_size, (1, 3))
        width = channels // 2
        layer = TemporalLinear if kernel_size == 3 else nn.Linear
        # In front of the convolution, because mmcv's fuse_conv_bn would fold them into
        # one that they follow; but a calibration is between them.
        self.bn = nn.BatchNorm2d(width)
        self.bn_avg = nn.BatchNorm2d(width)
        self.proj_in = layer(channels, width)
        self.conv = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.routing = _make_routing(width, routing)
        self.proj_out = nn.Linear(width, channels)
        self.init_weights()

    def init_weights(self) -> None:
        """Initialise all weights; the block then returns zeros."""
        for module in self.modules():
            if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)):
                nn.init.normal_(module.weight, std=STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, (nn.LayerNorm, nn.BatchNorm2d)):
                module.reset_parameters()
        self.init_identity()

    def init_identity(self) -> None:
        for module in (self.proj_out, self.bn_avg):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        n, t, h, w = x.shape[:4]
        # (n, t, h, w, m) -> (n * t, m, h, w), channels last in memory
        x = self.proj_in(x).flatten(0, 1).permute(0, 3, 1, 2)
        with without_autocast(x):
            means = frame_means(x, self.routing.b.weight.dtype)
            alpha, beta = self.routing(means.unflatten(0, (n, t)))
        if self.records:
            self.record(calibration=alpha)
        y = self.conv._conv_forward(x, self.conv.weight, None)
        bias = (beta * self.conv.bias).to(y.dtype)
        y = y * _to_frames(alpha.to(y.dtype)) + _to_frames(bias)
        z = quick_gelu(self.aggregate(y, t)).permute(0, 2, 3, 1)
        return self.proj_out(z).unflatten(0, (n, t))

    def aggregate(self, y: Tensor, t: int) -> Tensor:
        """Add the mean of neighbouring frames to the frames (n * t, m, h, w)."""
        if self.recorder is not None and self.records and not self.training:
            # In training there is no such matrix.
            weights, _ = _fold(self.bn, self.bn_avg)
            self.record(matrix=fill_band(weights, t))
        return self.bn(y) + self.bn_avg(temporal_pool(y, t))

    def fold(self, norm: Optional[nn.Module] = None) -> nn.Module:
        return FoldedTAdaBlock(self)


class FoldedTAdaBlock(TAdaBlock):
    """A trained :class:`TAdaBlock` with its norms and means in one mixing of frames.

    Args:
        block: The block whose place it takes.

    Shape:
        - input, output: those of ``block``
    """

    weights: Tensor
    shift: Tensor

    def __init__(self, block: TAdaBlock) -> None:
        nn.Module.__init__(self)
        self.proj_in, self.conv = block.proj_in, block.conv
        self.routing, self.proj_out = block.routing, block.proj_out
        weights, shift = _fold(block.bn, block.bn_avg)
        self.register_buffer('weights', weights)
        self.register_buffer('shift', shift[:, None, None])

    def aggregate(self, y: Tensor, t: int) -> Tensor:
        if self.recorder is not None:
            self.record(matrix=fill_band(self.weights, t))
        return temporal_mix(y, t, self.weights) + self.shift

    def fold(self, norm: Optional[nn.Module] = None) -> nn.Module:
        return self


def _make_routing(width: int, routing: Optional[dict]) -> AttentionRouting:
    options = check_options('backbone.routing', routing)
    unknown = sorted(options.keys() - _ROUTING_KEYS)
    if unknown:
        raise ValueError(
            f'backbone.routing has the keys {unknown}, expected some of '
            f'{sorted(_ROUTING_KEYS)}'
        )
    try:
        return AttentionRouting(width, bias_channels=width, **_ROUTING | options)
    except ValueError as error:
        raise ValueError(f'got backbone.routing={routing!r}: {error}') from None


def _fold(norm: nn.Module, pooled_norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the weights of a frame and its neighbours in eval mode, and a constant."""
    scale, shift = scale_and_shift(norm)
    pooled_scale, pooled_shift = scale_and_shift(pooled_norm)
    return aggregation_weights(scale, pooled_scale), shift + pooled_shift


def _to_frames(x: Tensor) -> Tensor:
    """Map (n, t, c) to (n * t, c, 1, 1)."""
    return x.flatten(0, 1)[..., None, None]
