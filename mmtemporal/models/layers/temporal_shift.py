"""Learnable shift of channels in time."""

import torch
from torch import Tensor, nn

from mmtemporal.checks import check_integer

from .temporal_layer import SHIFT_RULES, MixingLayer


class TemporalShift(MixingLayer):
    """Mix each channel of three neighbouring frames with weights of its own.

    It is a depthwise temporal convolution, the same for all clips. It starts
    as the shift of TSM: the first ``1 / shift_div`` of the channels comes from
    the next frame, as many from the frame before, the rest stays. TDN has it
    behind its long-term module.

    Papers: TSM: Temporal Shift Module for Efficient Video Understanding (ICCV 2019),
    https://arxiv.org/abs/1811.08383; TDN: Temporal Difference Networks for Efficient
    Action Recognition (CVPR 2021), https://arxiv.org/abs/2012.10071

    Args:
        in_channels: Number of channels.
        num_segments: Number T of frames of a clip.
        shift_div: At the start ``in_channels // shift_div`` channels move each way.
        learnable: Whether the weights are learnable. Otherwise this is TSM's shift.

    Shape:
        - input: (n * t, c, h, w), the frames of a clip being consecutive rows
        - output: (n * t, c, h, w), same dtype, device and memory format

    Raises:
        ValueError: The number of frames is no multiple of ``num_segments``.
    """

    insertion_rules = SHIFT_RULES
    at_block_entry = True

    def __init__(
        self,
        in_channels: int,
        num_segments: int,
        shift_div: int = 8,
        learnable: bool = True,
    ) -> None:
        super().__init__(num_segments)
        check_integer('shift_div', shift_div)
        # Holds the weights alone: optimizer constructors and initialisers know a
        # convolution, but not a bare parameter.
        self.conv = nn.Conv1d(
            in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False
        )
        fold = in_channels // shift_div
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[:fold, 0, 2] = 1
            self.conv.weight[fold : 2 * fold, 0, 0] = 1
            self.conv.weight[2 * fold :, 0, 1] = 1
        self.conv.requires_grad_(learnable)

    def mixing_weights(self, x: Tensor) -> Tensor:
        # (c, 1, k) -> (n=1, k, t=1, c)
        return self.conv.weight.permute(1, 2, 0).unsqueeze(2)
