"""TANet: a ResNet with temporal adaptive modules.

Paper: TAM: Temporal Adaptive Module for Video Recognition (ICCV 2021),
https://arxiv.org/abs/2005.06803
"""

from typing import Any, Optional

from torch import Tensor, nn

from mmtemporal.checks import check_choice, check_options
from mmtemporal.models.layers import find_variant
from mmtemporal.registry import MODELS

from .temporal_resnet import TemporalResNet

# Before which of the block's convolutions each style puts the module.
_POSITIONS = {'a': 0, 'b': 1, 'c': 2, 'd': 3}


class TABlock(nn.Module):
    """A residual block with a TAM among its convolutions.

    ::

        x --(a)-- conv1 --(b)-- conv2 --(c)-- conv3 --(d)-- + -- ReLU
        +----------------------- shortcut ------------------+

    A basic block has no third convolution: there, c and d are the same point.

    Args:
        block: mmaction2's ``Bottleneck`` or ``BasicBlock``.
        num_segments: Number of frames of a clip.
        style: 'a', 'b', 'c' or 'd', the insertion point.
        tam_cfg: Variant, if it is not the module itself, and further arguments.

    Shape:
        - input: (n * t, c, h, w)
        - output: that of ``block``

    Raises:
        ValueError: The style or the variant is unknown.
    """

    def __init__(
        self, block: Any, num_segments: int, style: str, tam_cfg: dict
    ) -> None:
        super().__init__()
        check_choice('backbone.block_style', style, _POSITIONS)
        self.block = block
        convs = self._convs()
        self.position = min(_POSITIONS[style], len(convs))
        if self.position == 0:
            channels = convs[0].in_channels
        else:
            channels = convs[self.position - 1].out_channels
        layer, options = find_variant(tam_cfg)
        self.tam = layer(channels, num_segments, **options)
        # Under the name that Grad-CAM looks for.
        self.relu = block.relu

    def _convs(self) -> list:
        names = ('conv1', 'conv2', 'conv3')
        return [getattr(self.block, n) for n in names if hasattr(self.block, n)]

    def forward(self, x: Tensor) -> Tensor:
        layers = self._convs()
        layers.insert(self.position, self.tam)
        out = x
        for layer in layers:
            out = layer(out)
        if self.block.downsample is not None:
            x = self.block.downsample(x)
        return self.relu(out + x)


@MODELS.register_module()
class TANet(TemporalResNet):
    """ResNet with a temporal adaptive module in its residual blocks.

    It loads the checkpoints of mmaction2's TANet unchanged. A new TANet does not
    start as the identity in time: its kernels are near a mean of three frames
    and its importances near one half, as in the authors' release.

    Args:
        depth: 18, 34, 50, 101 or 152.
        num_segments: Number T of frames of a clip, at least the kernel's.
        tam_cfg: Arguments of :class:`~mmtemporal.models.layers.TAM`: ``alpha``,
            ``beta``, ``adaptive_kernel_size``, ``conv1d_kernel_size``. And
            ``variant``, one of the paper's ablations (its Table 2): ``'reversed'``,
            ``'global'``, ``'local'``, ``'global_se'``, ``'pool'``, ``'conv'``, see
            :mod:`mmtemporal.models.layers.tam_ablations`.
        block_style: Insertion point of the module in a block, 'a' to 'd' (the paper's
            Figure 3; the release has 'b', after the first convolution).
        resize_segments: Whether the checkpoint of a TANet for another number of
            frames is resized, see :mod:`mmtemporal.checkpoints.segments`, instead of
            refused.
        **kwargs: See :class:`TemporalResNet`. The paper's Table 5 adds
            ``temporal_stages`` from the last on.

    Shape:
        - input: (n * t, 3, h, w), the frames of a clip being consecutive rows
        - output: (n * t, c, h / 32, w / 32), c = 2048, or 512 for depths 18, 34

    Raises:
        ValueError: An argument does not fit, the number of
            frames is no multiple of ``num_segments``, or a checkpoint is of
            another network.
    """

    wrapper = 'block'

    def __init__(
        self,
        depth: int,
        num_segments: int,
        tam_cfg: Optional[dict] = None,
        block_style: str = 'b',
        *,
        resize_segments: bool = False,
        **kwargs: Any,
    ) -> None:
        self.tam_cfg = check_options('backbone.tam_cfg', tam_cfg)
        self.block_style = block_style
        check_choice('backbone.resize_segments', resize_segments, (True, False))
        super().__init__(depth, num_segments, **kwargs)
        self.resize_segments = resize_segments

    def make_block(self, block: nn.Module, stage: int) -> nn.Module:
        return TABlock(block, self.num_segments, self.block_style, self.tam_cfg)
