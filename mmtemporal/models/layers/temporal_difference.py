"""Temporal difference modules.

Paper: TDN: Temporal Difference Networks for Efficient Action Recognition
(CVPR 2021), https://arxiv.org/abs/2012.10071
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtemporal.checks import check_integer
from mmtemporal.ops import is_traced, split_clips
from mmtemporal.ops.tracing import is_symbolic

from .temporal_layer import TemporalLayer


def frame_differences(windows: Tensor) -> Tensor:
    """Return what changes from frame to frame, at half the size.

    Short-term TDM feeds it to its own network. The frames are averaged over
    2 x 2 pixels before the difference is taken: both are linear, and so only
    small images are subtracted. The last row and column of odd sizes are
    dropped.

    Shape:
        - windows: (n, k, c, h, w), k frames around each segment's centre
        - output: (n, (k - 1) * c, h / 2, w / 2), frame by frame
    """
    n, k = windows.shape[:2]
    pooled = _half_size(windows.flatten(0, 1)).unflatten(0, (n, k))
    return (pooled[:, 1:] - pooled[:, :-1]).flatten(1, 2)


def _half_size(images: Tensor) -> Tensor:
    """Average 2 x 2 pixels: on CPUs in a quarter of the time of avg_pool2d."""
    if is_traced():
        return F.avg_pool2d(images, 2)
    h, w = images.shape[-2:]
    images = images[..., : h // 2 * 2, : w // 2 * 2]
    rows = images[..., ::2, :] + images[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]).mul_(0.25)


class ShortTermTDM(TemporalLayer, nn.Module):
    """Take the differences of which short-term TDM makes features.

    What follows, a stem and stages of their own, is in
    :class:`~mmtemporal.models.TDN`.

    Args:
        num_segments: Number T of windows of a clip.

    Shape:
        - input, output: See :func:`frame_differences`.
    """

    num_segments: int
    records = ('difference',)

    def __init__(self, num_segments: int) -> None:
        super().__init__()
        self.num_segments = num_segments

    def forward(self, windows: Tensor) -> Tensor:
        differences = frame_differences(windows)
        if self.recorder is not None:
            # (n * t, (k - 1) * c, h, w) -> (n, t, k - 1, c, h, w)
            each = differences.unflatten(1, (-1, windows.size(2)))
            self.record(difference=split_clips(each, self.num_segments))
        return differences


class LongTermTDM(TemporalLayer, nn.Module):
    r"""Weight channels and positions by how much they differ between segments.

    With :math:`b` the reduced features of a segment and :math:`q` the same
    after a depthwise convolution that aligns them, the differences to the next
    and to the previous segment are

    .. math::
        F_t = q_{t+1} - b_t, \qquad G_t = q_{t-1} - b_t,

    zero where there is no such segment. Each goes through the same branches at
    several scales, is expanded to all channels and squashed; the output is

    .. math::
        y_t = x_t \odot \tfrac12 \bigl(1 + \sigma(m(F_t)) + \sigma(m(G_t))\bigr),

    that is, a gate between 1/2 and 3/2. Both differences go through the branches in
    one batch. In training the batch norms of the branches still see them one after
    the other, as in the authors' release: first F, then G, each with its own
    batch statistics, and the running statistics move twice.

    Args:
        in_channels: Number of channels.
        num_segments: Number T of segments of a clip.
        reduction: The differences have ``in_channels // reduction`` channels.
        num_scales: 1: the differences as they are; 2: also convolved at half
            the size; 3: also convolved at full size. Their mean is used; the
            authors' release has 3.

    Shape:
        - input: (n * t, c, h, w), the segments of a clip being consecutive
          rows; h and w are 2 or more
        - output: (n * t, c, h, w), same dtype, device and memory format

    Raises:
        ValueError: An argument does not fit, the feature maps are too small, or
            the number of frames is no multiple of ``num_segments``.
    """

    insertion_rules = (
        'tdn',
        'mobilenet_v2',
        'shufflenet_v2',
        'inception_v3',
        'slowfast',
        'transformer',
    )
    num_segments: int
    records = ('gate', 'gate_map')
    checkpoint_forward = True

    def __init__(
        self,
        in_channels: int,
        num_segments: int,
        reduction: int = 16,
        num_scales: int = 3,
    ) -> None:
        super().__init__()
        check_integer('num_segments', num_segments)
        check_integer('reduction', reduction)
        if num_scales not in (1, 2, 3):
            raise ValueError(f'num_scales={num_scales!r} is none of 1, 2, 3')
        self.num_segments = num_segments
        self.num_scales = num_scales
        hidden = in_channels // reduction
        if hidden == 0:
            raise ValueError(
                f'{in_channels} channels are less than reduction={reduction}'
            )
        self.reduce = _conv(in_channels, hidden, 1)
        self.reduce_bn = nn.BatchNorm2d(hidden)
        self.align = _conv(hidden, hidden, 3, groups=hidden)
        if num_scales >= 2:
            self.pooled = _conv(hidden, hidden, 3)
            self.pooled_bn = nn.BatchNorm2d(hidden)
        if num_scales >= 3:
            self.full = _conv(hidden, hidden, 3)
            self.full_bn = nn.BatchNorm2d(hidden)
        self.expand = _conv(hidden, in_channels, 1)
        self.expand_bn = nn.BatchNorm2d(in_channels)

    def forward(self, x: Tensor) -> Tensor:
        if not is_symbolic(x) and min(x.shape[-2:]) < 2 and self.num_scales >= 2:
            raise ValueError(
                f'got feature maps of {x.size(-2)} x {x.size(-1)} pixels, which cannot '
                'be halved; give larger frames (a network with four stages needs 33 '
                'pixels or more)'
            )
        both = self._multi_scale(self._differences(x))
        # One after the other: together they would be twice as large as x.
        forward, backward = (
            self.expand_bn(self.expand(differences))
            for differences in _directions(both)
        )
        # In place wherever autograd keeps nothing: the gates are as large as x.
        gate = (forward.sigmoid_() + backward.sigmoid_()).mul_(0.5).add_(0.5)
        if self.recorder is not None:
            clips = split_clips(gate, self.num_segments)
            self.record(gate=clips.mean((3, 4)), gate_map=clips.mean(2))
        return x * gate

    def _differences(self, x: Tensor) -> Tensor:
        """Return forward and backward differences: (2 * n * t, r, h, w)."""
        reduced = self.reduce_bn(self.reduce(x))
        aligned = split_clips(self.align(reduced), self.num_segments)
        reduced = split_clips(reduced, self.num_segments)
        forward = aligned[:, 1:] - reduced[:, :-1]
        backward = aligned[:, :-1] - reduced[:, 1:]
        frames = (0, 0) * 3
        forward, backward = (
            F.pad(forward, (*frames, 0, 1)),
            F.pad(backward, (*frames, 1, 0)),
        )
        return torch.cat((forward, backward)).flatten(0, 1)

    def _multi_scale(self, x: Tensor) -> Tensor:
        total = x
        if self.num_scales >= 2:
            pooled = _norm_in_turn(self.pooled_bn, self.pooled(F.avg_pool2d(x, 2)))
            total = total + F.interpolate(torch.cat(pooled), size=x.shape[-2:])
        if self.num_scales >= 3:
            total = total + torch.cat(_norm_in_turn(self.full_bn, self.full(x)))
        return total / self.num_scales


def _conv(in_channels: int, out_channels: int, size: int, groups: int = 1) -> nn.Conv2d:
    """Make a convolution without bias, initialised as the authors do."""
    conv = nn.Conv2d(
        in_channels, out_channels, size, padding=size // 2, groups=groups, bias=False
    )
    nn.init.kaiming_normal_(conv.weight, mode='fan_out', nonlinearity='relu')
    return conv


def _norm_in_turn(norm: nn.Module, x: Tensor) -> list[Tensor]:
    """Normalise forward and backward differences one after the other."""
    return [norm(differences) for differences in _directions(x)]


def _directions(batch: Tensor) -> tuple[Tensor, Tensor]:
    half = batch.size(0) // 2
    return batch[:half], batch[half:]
