"""A calibrated convolution with temporal aggregation, the layer of TAda2D.

Paper: TAda! Temporally-Adaptive Convolutions for Video Understanding (ICLR
2022), https://arxiv.org/abs/2110.06178
"""

from typing import Optional

import torch
from mmcv.cnn import ConvModule, build_norm_layer
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from mmtemporal.checks import check_choice
from mmtemporal.models.layers import TAdaConv2d, TemporalLayer, temporal_pool
from mmtemporal.models.layers.aggregation import aggregation_weights, scale_and_shift
from mmtemporal.ops import fill_band, temporal_mix

# What each aggregation adds to a frame's own features.
_AGGREGATIONS = {None: (), 'avg': ('avg',), 'max': ('max',), 'mix': ('avg', 'max')}


class TemporalAggregation(nn.ModuleDict):
    """Sum poolings over neighbouring frames, each behind its own batch norm.

    The batch norms start at zero, and with them the sum.

    Args:
        norms: A batch norm for each mode of
            :func:`~mmtemporal.models.layers.temporal_pool`.
        num_segments: Number T of frames of a clip.

    Shape:
        - input, output: (n * t, c, h, w)
    """

    def __init__(self, norms: dict[str, nn.Module], num_segments: int) -> None:
        super().__init__(norms)
        self.num_segments = num_segments
        self.init_identity()

    def init_identity(self) -> None:
        """Zero the batch norms."""
        for norm in self.values():
            nn.init.zeros_(norm.weight)
            nn.init.zeros_(norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        pooled = (
            norm(temporal_pool(x, self.num_segments, mode))
            for mode, norm in self.items()
        )
        return sum(pooled)


class TAdaConvModule(TemporalLayer, nn.Module):
    """A calibrated convolution, batch norm, temporal aggregation and ReLU.

    ::

        x -- TAdaConv --+-- norm -------------------- + -- ReLU
                        +-- pool over frames -- norm -+

    Args:
        module: The ConvModule whose place it takes, and whose parts it keeps.
        num_segments: Number T of frames of a clip.
        aggregation: 'avg', 'max', 'mix' (both), or None.
        separate_norm: Whether the pooled frames have batch norms of their own.
            Otherwise they are added in front of the only one.
        routing: Routing function, see
            :class:`~mmtemporal.models.layers.TAdaConv2d`.
        norm_cfg: Config of the batch norms.

    Shape:
        - input: (n * t, c, h, w)
        - output: that of ``module``
    """

    num_segments: int

    def __init__(
        self,
        module: ConvModule,
        num_segments: int,
        aggregation: Optional[str],
        separate_norm: bool,
        routing: Optional[dict],
        norm_cfg: dict,
    ) -> None:
        super().__init__()
        check_choice('backbone.aggregation', aggregation, _AGGREGATIONS)
        conv = module.conv
        # In front of the convolution, because mmcv's fuse_conv_bn would fold it into
        # one that it follows; but other things see the output of this one, too.
        self.bn = module.norm
        self.conv = TAdaConv2d(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            conv.padding,
            conv.dilation,
            conv.groups,
            bias=False,
            num_segments=num_segments,
            routing=routing,
        )
        self.relu = module.activate
        self.num_segments = num_segments
        self.modes = _AGGREGATIONS[aggregation]
        self.aggregation = None
        # A pooling by the maximum is no mixing by one matrix a channel.
        self.records = ('matrix',) if self.modes == ('avg',) else ()
        self.new_modules = ()
        if self.modes and separate_norm:
            self.new_modules = ('aggregation',)
            norms = {
                mode: build_norm_layer(norm_cfg, conv.out_channels)[1]
                for mode in self.modes
            }
            self.aggregation = TemporalAggregation(norms, num_segments)

    def init_identity(self) -> None:
        if self.aggregation is not None:
            self.aggregation.init_identity()

    # What blocks and tools ask a ConvModule for.
    @property
    def in_channels(self) -> int:
        return self.conv.in_channels

    @property
    def out_channels(self) -> int:
        return self.conv.out_channels

    def forward(self, x: Tensor) -> Tensor:
        if self.recorder is not None and self.records and not self.training:
            # Those of its pooling and its two batch norms, whose scales they have;
            # their shift is omitted. In training there is no such matrix.
            weights = FoldedTAdaConv(self).mixing_weights
            self.record(matrix=fill_band(weights, self.num_segments))
        x = self.conv(x)
        if self.aggregation is not None:
            return self.relu(self.bn(x) + self.aggregation(x))
        pooled = [temporal_pool(x, self.num_segments, mode) for mode in self.modes]
        return self.relu(self.bn(sum(pooled, x)))

    def fold(self, norm: Optional[nn.Module] = None) -> nn.Module:
        if not self.modes:
            return nn.Sequential(fuse_conv_bn_eval(self.conv, self.bn), self.relu)
        return FoldedTAdaConv(self)


class FoldedTAdaConv(nn.Module):
    """A trained :class:`TAdaConvModule` with as few passes as possible.

    In eval mode a batch norm is a scale and a shift a channel, so the frame and
    the average over its neighbours are one weighted sum of three frames.

    Args:
        module: The module whose place it takes.

    Shape:
        - input: (n * t, c, h, w)
        - output: that of ``module``
    """

    mixing_weights: Tensor
    shift: Tensor
    max_scale: Optional[Tensor]

    def __init__(self, module: TAdaConvModule) -> None:
        super().__init__()
        self.conv = module.conv
        self.relu = module.relu
        self.num_segments = module.num_segments
        scale, shift = scale_and_shift(module.bn)
        scales = dict.fromkeys(module.modes, scale)
        if module.aggregation is not None:
            for mode, norm in module.aggregation.items():
                scales[mode], more = scale_and_shift(norm)
                shift = shift + more
        weights = aggregation_weights(scale, scales.get('avg', torch.zeros_like(scale)))
        self.register_buffer('mixing_weights', weights)
        self.register_buffer('shift', shift[:, None, None])
        max_scale = scales['max'][:, None, None] if 'max' in scales else None
        self.register_buffer('max_scale', max_scale)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        mixed = temporal_mix(x, self.num_segments, self.mixing_weights) + self.shift
        if self.max_scale is not None:
            mixed = mixed + self.max_scale * temporal_pool(x, self.num_segments, 'max')
        return self.relu(mixed)
