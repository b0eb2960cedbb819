"""TAda2D: a ResNet with temporally-adaptive convolutions.

Paper: TAda! Temporally-Adaptive Convolutions for Video Understanding (ICLR
2022), https://arxiv.org/abs/2110.06178
"""

from collections.abc import Sequence
from typing import Optional, Union

import torch
from mmcv.cnn import ConvModule, build_norm_layer
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import fuse_conv_bn_eval

from mmtemporal.checks import check_choice
from mmtemporal.models.frame_counts import check_clips
from mmtemporal.models.layers import (
    AttentionRouting,
    ConvRouting,
    TAdaConv2d,
    temporal_pool,
)
from mmtemporal.ops import temporal_mix
from mmtemporal.ops.tracing import is_symbolic
from mmtemporal.registry import MODELS

from .temporal_resnet import TemporalResNet

# What each aggregation adds to a frame's own features.
_AGGREGATIONS = {None: (), 'avg': ('avg',), 'max': ('max',), 'mix': ('avg', 'max')}


class TemporalAggregation(nn.ModuleDict):
    """Sums poolings over neighbouring frames, each behind its own batch norm.

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
        """Zeroes the batch norms."""
        for norm in self.values():
            nn.init.zeros_(norm.weight)
            nn.init.zeros_(norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        pooled = (
            norm(temporal_pool(x, self.num_segments, mode))
            for mode, norm in self.items()
        )
        return sum(pooled)


class TAdaConvModule(nn.Module):
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
        if self.modes and separate_norm:
            norms = {
                mode: build_norm_layer(norm_cfg, conv.out_channels)[1]
                for mode in self.modes
            }
            self.aggregation = TemporalAggregation(norms, num_segments)

    # What blocks and tools ask a ConvModule for.
    @property
    def in_channels(self) -> int:
        return self.conv.in_channels

    @property
    def out_channels(self) -> int:
        return self.conv.out_channels

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.aggregation is not None:
            return self.relu(self.bn(x) + self.aggregation(x))
        pooled = [temporal_pool(x, self.num_segments, mode) for mode in self.modes]
        return self.relu(self.bn(sum(pooled, x)))

    def fold(self) -> nn.Module:
        """Returns a module that computes the same in eval mode, with less work."""
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

    def __init__(self, module: TAdaConvModule) -> None:
        super().__init__()
        self.conv = module.conv
        self.relu = module.relu
        self.num_segments = module.num_segments
        scale, shift = _scale_and_shift(module.bn)
        scales = dict.fromkeys(module.modes, scale)
        if module.aggregation is not None:
            for mode, norm in module.aggregation.items():
                scales[mode], more = _scale_and_shift(norm)
                shift = shift + more
        side = scales.get('avg', torch.zeros_like(scale)) / 3
        taps = torch.stack((side, scale + side, side))
        self.register_buffer('taps', taps[None, :, None])
        self.register_buffer('shift', shift[:, None, None])
        max_scale = scales['max'][:, None, None] if 'max' in scales else None
        self.register_buffer('max_scale', max_scale)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        mixed = temporal_mix(x, self.num_segments, self.taps) + self.shift
        if self.max_scale is not None:
            mixed = mixed + self.max_scale * temporal_pool(x, self.num_segments, 'max')
        return self.relu(mixed)


def _scale_and_shift(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Returns what a batch norm multiplies and adds in eval mode."""
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale.detach(), (norm.bias - norm.running_mean * scale).detach()


@MODELS.register_module()
class TAda2D(TemporalResNet):
    """ResNet whose blocks have temporally-adaptive convolutions.

    The 3x3 convolution of a bottleneck, or the first convolution of a basic
    block, is calibrated for every frame, and its output aggregated over
    neighbouring frames. Unlike other ResNets it has no max-pool: instead the
    first stage has stride 2.

    A new TAda2D with ImageNet weights is, frame by frame, the ResNet without
    max-pool and with a strided first stage. In ResNet-18 and 34, whose first
    shortcut has no convolution, one is needed for the stride; it starts as the
    identity.

    Args:
        depth: 18, 34, 50, 101 or 152.
        num_segments: Number T of frames of a clip.
        aggregation: Pooling over three frames behind the calibrated
            convolution: 'avg', as released; 'max'; 'mix', both; or None.
        separate_norm: Whether the pooled frames have batch norms of their own,
            which start at zero. Otherwise the network does not start as the
            frame-wise ResNet.
        routing: Routing function and its arguments, see
            :class:`~mmtemporal.models.layers.TAdaConv2d`.
        temporal_stages: Indices of the stages with calibrated convolutions.
            Defaults to all.
        strides: Strides of the stages.
        **kwargs: See :class:`TemporalResNet`. ``norm_eval`` and ``partial_bn``
            also stop the statistics of the batch norms in routing functions
            and aggregations, which small batches make noisy.

    Shape:
        - input: (n * t, 3, h, w), the frames of a clip being consecutive rows,
          as ``Recognizer2D`` gives it; or (n, 3, t, h, w), as ``Recognizer3D``
          does
        - output: (n * t, c, h / 32, w / 32) or (n, c, t, h / 32, w / 32), with
          c = 2048, or 512 for depths 18, 34

    Raises:
        ValueError: An argument does not fit, the frames are of another number,
            or a checkpoint is of another network.
    """

    def __init__(
        self,
        depth: int,
        num_segments: int,
        aggregation: Optional[str] = 'avg',
        separate_norm: bool = True,
        routing: Optional[dict] = None,
        temporal_stages: Optional[Sequence[int]] = None,
        strides: Sequence[int] = (2, 2, 2, 2),
        norm_cfg: Optional[dict] = None,
        **kwargs,
    ) -> None:
        norm_cfg = norm_cfg or dict(type='BN2d', requires_grad=True)

        def calibrate(block: nn.Module, _: int) -> nn.Module:
            # The convolution that carries the stride.
            name = 'conv1' if depth < 50 else 'conv2'
            module = TAdaConvModule(
                getattr(block, name),
                num_segments,
                aggregation,
                separate_norm,
                routing,
                norm_cfg,
            )
            setattr(block, name, module)
            return block

        super().__init__(
            depth,
            num_segments,
            calibrate,
            temporal_layer=(ConvRouting, AttentionRouting, TemporalAggregation),
            temporal_stages=temporal_stages,
            strides=strides,
            norm_cfg=norm_cfg,
            **kwargs,
        )
        self.maxpool = nn.Identity()

    def forward(self, x: Tensor) -> Union[Tensor, tuple]:
        if is_symbolic(x) or x.dim() != 5:
            return super().forward(x)
        t = self.num_segments
        check_clips(x, self.in_channels, t)
        # (n, c, t, h, w) -> (n * t, c, h, w), and back
        outs = super().forward(x.transpose(1, 2).flatten(0, 1))
        if isinstance(outs, tuple):
            return tuple(out.unflatten(0, (-1, t)).transpose(1, 2) for out in outs)
        return outs.unflatten(0, (-1, t)).transpose(1, 2)

    def _freeze(self) -> None:
        super()._freeze()
        if self.norm_eval or self.partial_bn:
            for module in self.modules():
                if isinstance(module, self.temporal_layer):
                    for norm in module.modules():
                        if isinstance(norm, _BatchNorm):
                            norm.eval()

    # -------------------------------------------------------------- weights

    def _init_temporal(self) -> None:
        for module in self.modules():
            if isinstance(module, self.temporal_layer):
                module.init_identity()
        if self.depth < 50 and self.layer1[0].downsample is not None:
            nn.init.dirac_(self.layer1[0].downsample.conv.weight)

    def image_name(self, key: str) -> Optional[str]:
        if self.depth < 50 and key.startswith('layer1.0.downsample.'):
            return None
        return super().image_name(key)
