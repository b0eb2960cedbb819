"""The ablations of the temporal adaptive module.

Paper: TAM: Temporal Adaptive Module for Video Recognition (ICCV 2021),
https://arxiv.org/abs/2005.06803, Table 2
"""

from torch import Tensor, nn

from mmtemporal.checks import check_choice, check_integer
from mmtemporal.ops import split_clips

from .tam import (
    TAM,
    check_kernel_size,
    hidden_width,
    importance_branch,
    kernel_branch,
)
from .temporal_layer import MixingLayer, TemporalLayer


class ReversedTAM(TAM):
    """TANet-R: mixes first, and then weights the output frames.

    Args, Shape: See :class:`~mmtemporal.models.layers.TAM`.
    """

    def combine(self, means: Tensor) -> Tensor:
        return self.kernel(means) * self.importance(means).unsqueeze(1)


class GlobalTAM(TAM):
    """The global branch alone: adaptive kernels, without importance.

    Args, Shape: See :class:`~mmtemporal.models.layers.TAM`.
    """

    records = ('kernel', 'matrix')

    def make_branches(
        self, in_channels: int, alpha: int, beta: int, conv1d_kernel_size: int
    ) -> None:
        self.G = kernel_branch(self.num_segments, alpha, self.kernel_size)

    def combine(self, means: Tensor) -> Tensor:
        return self.kernel(means)


class LocalTAM(TAM):
    """The local branch alone: importance, without mixing.

    Args, Shape: See :class:`~mmtemporal.models.layers.TAM`.
    """

    records = ('importance', 'matrix')

    def make_branches(
        self, in_channels: int, alpha: int, beta: int, conv1d_kernel_size: int
    ) -> None:
        self.L = importance_branch(in_channels, beta, conv1d_kernel_size)

    def combine(self, means: Tensor) -> Tensor:
        return self.importance(means).unsqueeze(1)


class ExcitationTAM(GlobalTAM):
    """Adaptive kernels, and squeeze-and-excitation, the same for all frames.

    The excitation has half the hidden width of the local branch, which is what the
    paper's parameter count of 24.65 M leaves.

    Args, Shape: See :class:`~mmtemporal.models.layers.TAM`.
    """

    def make_branches(
        self, in_channels: int, alpha: int, beta: int, conv1d_kernel_size: int
    ) -> None:
        super().make_branches(in_channels, alpha, beta, conv1d_kernel_size)
        hidden = hidden_width(in_channels, beta, factor=2)
        self.SE = nn.Sequential(
            nn.Conv1d(in_channels, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv1d(hidden, in_channels, 1),
            nn.Sigmoid(),
        )

    def combine(self, means: Tensor) -> Tensor:
        # (n, c, 1) -> (n, 1, 1, c)
        gate = self.SE(means.mean(2, keepdim=True)).transpose(1, 2).unsqueeze(1)
        return self.kernel(means) * gate


class TemporalMean(MixingLayer):
    """C2D-Pool: the mean of K frames, whatever the clip.

    Args:
        in_channels: Number of channels, which does not matter.
        num_segments: Number T of frames of a clip.
        adaptive_kernel_size: Number K of frames, odd.

    Shape: See :class:`~mmtemporal.models.layers.TAM`.
    """

    insertion_rules = TAM.insertion_rules

    def __init__(
        self, in_channels: int, num_segments: int, adaptive_kernel_size: int = 3
    ) -> None:
        super().__init__(num_segments)
        check_kernel_size(adaptive_kernel_size, num_segments)
        self.kernel_size = adaptive_kernel_size

    def mixing_weights(self, x: Tensor) -> Tensor:
        return x.new_full((1, self.kernel_size, 1, 1), 1 / self.kernel_size)


class TemporalConv(TemporalLayer, nn.Module):
    """C2D-TConv: a temporal convolution over all channels.

    Args:
        in_channels: Number of channels.
        num_segments: Number T of frames of a clip.
        adaptive_kernel_size: Number K of frames of its kernel, odd.

    Shape:
        - input, output: (n * t, c, h, w), the frames of a clip being consecutive rows;
          the output is contiguous
    """

    num_segments: int
    insertion_rules = TAM.insertion_rules

    def __init__(
        self, in_channels: int, num_segments: int, adaptive_kernel_size: int = 3
    ) -> None:
        super().__init__()
        check_integer('num_segments', num_segments)
        check_kernel_size(adaptive_kernel_size, num_segments)
        self.num_segments = num_segments
        self.conv = nn.Conv3d(
            in_channels,
            in_channels,
            (adaptive_kernel_size, 1, 1),
            padding=(adaptive_kernel_size // 2, 0, 0),
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        clips = split_clips(x, self.num_segments).transpose(1, 2)
        return self.conv(clips).transpose(1, 2).flatten(0, 1)


# By the paper's Table 2, as configs name them.
TAM_VARIANTS = {
    'tam': TAM,
    'reversed': ReversedTAM,
    'global': GlobalTAM,
    'local': LocalTAM,
    'global_se': ExcitationTAM,
    'pool': TemporalMean,
    'conv': TemporalConv,
}


def find_variant(options: dict) -> tuple[type, dict]:
    """Return the class and the arguments that options of TAM mean.

    Args:
        options: Arguments of :class:`~mmtemporal.models.layers.TAM`, and ``variant``.
            Those of branches that an ablation does not have mean nothing.

    Raises:
        ValueError: The variant is unknown.
    """
    options = dict(options)
    variant = options.pop('variant', 'tam')
    check_choice('tam_cfg.variant', variant, TAM_VARIANTS)
    layer = TAM_VARIANTS[variant]
    if not issubclass(layer, TAM):
        for name in ('alpha', 'beta', 'conv1d_kernel_size'):
            options.pop(name, None)
    return layer, options
