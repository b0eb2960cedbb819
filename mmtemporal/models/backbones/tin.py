"""TIN: a ResNet with temporal interlacing.

Paper: Temporal Interlacing Network (AAAI 2020), https://arxiv.org/abs/2001.06499
"""

from typing import Any, Optional

from torch import nn

from mmtemporal.checks import check_choice, check_options
from mmtemporal.models.layers import InterlacedConv, TemporalInterlace
from mmtemporal.registry import MODELS

from .temporal_resnet import TemporalResNet


@MODELS.register_module()
class TIN(TemporalResNet):
    """ResNet with temporal interlacing before the first convolution of a block.

    It loads the checkpoints of mmaction2's ``ResNetTIN`` unchanged, and needs no
    compiled operator.

    Args:
        depth: 18, 34, 50, 101 or 152.
        num_segments: Number T of frames of a clip.
        shift_div: The first 1 / shift_div of a block's input channels are
            moved in time. Published TINs have 4 (mmaction2's class defaults to
            8, its configs have 4).
        tin_cfg: Further arguments of
            :class:`~mmtemporal.models.layers.TemporalInterlace`:
            ``num_groups``, ``reverse``, ``offset_scale``.
        resize_segments: Whether the checkpoint of a TIN for another number of frames
            is resized, see :mod:`mmtemporal.checkpoints.segments`, instead of refused.
        **kwargs: See :class:`TemporalResNet`.

    Shape:
        - input: (n * t, 3, h, w), the frames of a clip being consecutive rows
        - output: (n * t, c, h / 32, w / 32), c = 2048, or 512 for depths 18, 34

    Raises:
        ValueError: An argument does not fit, the number of
            frames is no multiple of ``num_segments``, or a checkpoint is of
            another network.
    """

    wrapper = 'net2'

    def __init__(
        self,
        depth: int,
        num_segments: int,
        shift_div: int = 4,
        tin_cfg: Optional[dict] = None,
        *,
        resize_segments: bool = False,
        **kwargs: Any,
    ) -> None:
        self.shift_div = shift_div
        self.tin_cfg = check_options('backbone.tin_cfg', tin_cfg)
        check_choice('backbone.resize_segments', resize_segments, (True, False))
        super().__init__(depth, num_segments, **kwargs)
        self.resize_segments = resize_segments

    def make_block(self, block: Any, stage: int) -> nn.Module:
        interlacing = TemporalInterlace(
            block.conv1.in_channels, self.num_segments, self.shift_div, **self.tin_cfg
        )
        block.conv1.conv = InterlacedConv(interlacing, block.conv1.conv)
        return block
