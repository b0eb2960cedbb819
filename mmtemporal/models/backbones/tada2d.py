"""TAda2D: a ResNet with temporally-adaptive convolutions.

Paper: TAda! Temporally-Adaptive Convolutions for Video Understanding (ICLR
2022), https://arxiv.org/abs/2110.06178
"""

from collections.abc import Sequence
from typing import Any, Optional, Union

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmtemporal.models.frame_counts import check_clips
from mmtemporal.models.layers.temporal_layer import new_modules
from mmtemporal.ops.tracing import is_symbolic
from mmtemporal.registry import MODELS

from .tada_conv_module import TAdaConvModule
from .temporal_resnet import TemporalResNet


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
        strides: Sequence[int] = (2, 2, 2, 2),
        norm_cfg: Optional[dict] = None,
        **kwargs: Any,
    ) -> None:
        self.aggregation = aggregation
        self.separate_norm = separate_norm
        self.routing = routing
        norm_cfg = norm_cfg or dict(type='BN2d', requires_grad=True)
        super().__init__(
            depth, num_segments, strides=strides, norm_cfg=norm_cfg, **kwargs
        )
        self.maxpool = nn.Identity()

    def make_block(self, block: nn.Module, stage: int) -> nn.Module:
        # The convolution that carries the stride.
        name = 'conv1' if self.depth < 50 else 'conv2'
        module = TAdaConvModule(
            getattr(block, name),
            self.num_segments,
            self.aggregation,
            self.separate_norm,
            self.routing,
            self.norm_cfg,
        )
        setattr(block, name, module)
        return block

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
            for part in new_modules(self).values():
                for norm in part.modules():
                    if isinstance(norm, _BatchNorm):
                        norm.eval()

    # -------------------------------------------------------------- weights

    def _init_temporal(self) -> None:
        super()._init_temporal()
        if self.depth < 50 and self.layer1[0].downsample is not None:
            nn.init.dirac_(self.layer1[0].downsample.conv.weight)

    def image_name(self, key: str) -> Optional[str]:
        if self.depth < 50 and key.startswith('layer1.0.downsample.'):
            return None
        return super().image_name(key)
