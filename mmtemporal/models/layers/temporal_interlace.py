"""Temporal interlacing.

Paper: Temporal Interlacing Network (AAAI 2020), https://arxiv.org/abs/2001.06499
"""

from math import ceil
from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from mmtemporal.checks import check_integer, check_number
from mmtemporal.ops import checkpointed, without_autocast

from .temporal_layer import SHIFT_RULES, MixingLayer, TemporalLayer, clip_means

# The sigmoid of this is 0.625, so with a scale of 4 every learnable offset starts
# near half a frame, and with the paper's scale of T = 8 at one frame.
_INITIAL_OFFSET_BIAS = 0.5108


class OffsetNet(nn.Module):
    r"""Compute how far each group of channels moves in time.

    :math:`o = s\,(\mathrm{sigmoid}(\cdot) - 0.5)`, one offset a clip and group,
    the same for all frames; positive offsets move features to later frames.

    Args:
        in_channels: Number of channels of the descriptor.
        num_segments: Number T of frames of a clip.
        num_groups: Number of offsets.
        offset_scale: Width s of the range (-s / 2, s / 2).

    Shape:
        - input: (n, c, t)
        - output: (n, num_groups), in frames
    """

    def __init__(
        self, in_channels: int, num_segments: int, num_groups: int, offset_scale: float
    ) -> None:
        super().__init__()
        self.offset_scale = offset_scale
        self.conv = nn.Conv1d(in_channels, 1, 3, padding=1)
        self.fc1 = nn.Linear(num_segments, num_segments)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(num_segments, num_groups)
        nn.init.constant_(self.fc2.bias, _INITIAL_OFFSET_BIAS)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.relu(self.fc1(self.conv(x).squeeze(1)))
        return self.offset_scale * (self.fc2(hidden).sigmoid() - 0.5)


class WeightNet(nn.Module):
    """Compute how much each frame of each group counts after the move.

    Args:
        in_channels: Number of channels of the descriptor.
        num_groups: Number of weights a frame.

    Shape:
        - input: (n, c, t)
        - output: (n, num_groups, t), within (0, 2) and near 1 at the start
    """

    def __init__(self, in_channels: int, num_groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_channels, num_groups, 3, padding=1)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return 2 * self.conv(x).sigmoid()


class TemporalInterlace(MixingLayer):
    r"""Move groups of channels in time by learnable, fractional offsets.

    The first ``in_channels / shift_div`` channels are cut into equal groups. A
    group with the offset o takes the linear interpolation of its two nearest
    source frames, zero frames standing around the clip, and every output frame
    is multiplied by its weight:

    .. math::
        y_t = w_t \sum_s \max(0,\, 1 - |t - s - o|)\; x_s

    Written with this hat function the move is a few weights for each group,
    differentiable on any device and in any precision, and its gradient is the
    true adjoint: the gradient of the features moves *against* the offset. (The
    backward pass of ``mmcv.ops.tin_shift`` moves it along with the offset.)
    Where an offset is exactly an integer its own derivative is taken as 0.

    Args:
        in_channels: Number C of channels.
        num_segments: Number T of frames of a clip.
        shift_div: The first C / shift_div channels, or so many fewer that the groups
            are equal, are moved, the rest stays.
        num_groups: Number of learnable offsets and of weights.
        reverse: Whether each learnable offset also moves a second group by the
            opposite amount, with the same weight. The paper's Table 5 compares
            1 and 2 groups with, 2 and 4 groups without.
        offset_scale: Width of the range of the offsets, in frames. The released
            code has 4, whatever T is; the paper's range is ``num_segments``.

    Shape:
        - input: (n * t, c, h, w), the frames of a clip being consecutive rows
        - output: (n * t, c, h, w), same dtype, device and memory format

    Raises:
        ValueError: There are too few channels, or the number of frames is no
            multiple of ``num_segments``.
    """

    insertion_rules = SHIFT_RULES
    at_block_entry = True
    records = ('offset', 'weight', 'matrix')

    def __init__(
        self,
        in_channels: int,
        num_segments: int,
        shift_div: int = 4,
        num_groups: int = 2,
        reverse: bool = True,
        offset_scale: float = 4.0,
    ) -> None:
        super().__init__(num_segments)
        check_integer('shift_div', shift_div)
        check_integer('tin_cfg.num_groups', num_groups)
        check_number('tin_cfg.offset_scale', offset_scale, minimum=0)
        parts = num_groups * (2 if reverse else 1)
        self.num_mixed = in_channels // (shift_div * parts) * parts
        if self.num_mixed == 0:
            raise ValueError(
                f'{in_channels} channels are less than shift_div={shift_div} times '
                f'{parts} groups (num_groups={num_groups}, reverse={reverse}); change '
                'backbone.shift_div or backbone.tin_cfg'
            )
        self.reverse = reverse
        # No offset reaches beyond.
        self.reach = ceil(offset_scale / 2)
        self.offset_net = OffsetNet(
            self.num_mixed, num_segments, num_groups, offset_scale
        )
        self.weight_net = WeightNet(self.num_mixed, num_groups)

    def mixing_weights(self, x: Tensor) -> Tensor:
        """Return the weights of the frames for every group, (n, k, t, groups).

        With k = 5 for offsets of up to two frames. Offsets, interpolation and
        sigmoids need the precision of float32, so autocast does not reach them.
        """
        with without_autocast(x):
            dtype = self.weight_net.conv.weight.dtype
            means = clip_means(x, self.num_segments, dtype, self.num_mixed)
            offset, weight = self.offset_net(means), self.weight_net(means)
            self.record(offset=offset, weight=weight)
            if self.reverse:
                # Groups in order: o_0, o_1, -o_0, -o_1, with w_0, w_1, w_0, w_1.
                offset = torch.cat((offset, -offset), 1)
                weight = torch.cat((weight, weight), 1)
            hat = _hat(offset, self.reach)
            return hat.unsqueeze(2) * weight.transpose(1, 2).unsqueeze(1)


def _hat(offset: Tensor, reach: int) -> Tensor:
    """Return the interpolation weights of offsets: (n, g) to (n, k, g)."""
    step = torch.arange(-reach, reach + 1, device=offset.device, dtype=offset.dtype)
    # A weight's frame is s = t + step, hence t - s - o = -(step + o).
    return (1 - (step[:, None] + offset[:, None]).abs()).relu()


torch.fx.wrap('_hat')


class InterlacedConv(TemporalLayer, nn.Module):
    """A convolution with temporal interlacing in front.

    It takes the place of a convolution in a residual block, so that only the
    residual branch sees moved features. Those are as large as the input, which the
    shortcut keeps anyway; so the layer has activation checkpointing. The names of the
    two children are those of the released checkpoints.

    Args:
        net1: The interlacing.
        net2: The convolution.

    Shape:
        - input: (n * t, c, h, w)
        - output: that of ``net2``
    """

    new_modules = ('net1',)

    def __init__(self, net1: TemporalInterlace, net2: nn.Module) -> None:
        super().__init__()
        self.num_segments = net1.num_segments
        self.net1 = net1
        self.net2 = net2

    def forward(self, x: Tensor) -> Tensor:
        return checkpointed(lambda x: self.net2(self.net1(x)), x, small=False)

    def fold(self, norm: Optional[nn.Module] = None) -> nn.Module:
        if norm is not None:
            self.net2 = fuse_conv_bn_eval(self.net2, norm)  # type: ignore[type-var, arg-type]
        return self
