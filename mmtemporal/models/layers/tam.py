"""Temporal adaptive module.

Paper: TAM: Temporal Adaptive Module for Video Recognition (ICCV 2021),
https://arxiv.org/abs/2005.06803
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtemporal.checks import check_integer, check_odd
from mmtemporal.ops import without_autocast

from .temporal_layer import MixingLayer, clip_means


class TAM(MixingLayer):
    r"""Mix neighbouring frames with a kernel computed from the clip itself.

    A global branch (G) sees all frames of a channel and returns its kernel
    :math:`\Theta` of K weights; a local branch (L) returns an importance
    :math:`\ell` in (0, 1) for each channel and frame. The frames are first
    weighted with their importance, then mixed with the kernel, zero frames
    standing before and behind the clip:

    .. math::
        y_{c,t} = \sum_k \Theta_{c,k}\; \ell_{c,\,t+k-p}\; x_{c,\,t+k-p},
        \qquad p = (K - 1) / 2

    ::

        x -- mean over h, w --+-- G: fc, BN, ReLU, fc, softmax ----- kernel --+
        |                     +-- L: conv, BN, ReLU, conv, sigmoid - gate --+ |
        +-------------------------------------------------------- multiply -+ |
                                                                   mix -------+- y

    The paper's ablations are classes of :mod:`mmtemporal.models.layers.tam_ablations`.

    Args:
        in_channels: Number of channels.
        num_segments: Number T of frames of a clip.
        alpha: The hidden width of the global branch is ``alpha * num_segments``
            (the paper's alpha).
        adaptive_kernel_size: Number K of weights of a kernel, odd.
        beta: The hidden width of the local branch is ``in_channels // beta``
            (the paper's beta).
        conv1d_kernel_size: Frames seen by the first convolution of the local
            branch, odd. The authors' code ties it to K; here, as in the paper,
            it is 3 for any K.

    Shape:
        - input: (n * t, c, h, w), the frames of a clip being consecutive rows
        - output: (n * t, c, h, w), same dtype, device and memory format

    Raises:
        ValueError: An argument does not fit the others, or the number of
            frames is no multiple of ``num_segments``.
    """

    # Where a network has temporal convolutions of its own, it takes their place.
    insertion_rules = (
        'resnet',
        'mobilenet_v2',
        'shufflenet_v2',
        'inception_v3',
        'mobileone',
        'temporal_convs',
        'slowfast',
        'transformer',
    )
    records: tuple[str, ...] = ('kernel', 'importance', 'matrix')

    def __init__(
        self,
        in_channels: int,
        num_segments: int,
        alpha: int = 2,
        adaptive_kernel_size: int = 3,
        beta: int = 4,
        conv1d_kernel_size: int = 3,
    ) -> None:
        super().__init__(num_segments)
        check_integer('tam_cfg.alpha', alpha)
        check_integer('tam_cfg.beta', beta)
        check_odd('tam_cfg.conv1d_kernel_size', conv1d_kernel_size)
        check_kernel_size(adaptive_kernel_size, num_segments)
        self.kernel_size = adaptive_kernel_size
        self.make_branches(in_channels, alpha, beta, conv1d_kernel_size)

    def make_branches(
        self, in_channels: int, alpha: int, beta: int, conv1d_kernel_size: int
    ) -> None:
        """Make the networks that see the means of the frames."""
        self.G = kernel_branch(self.num_segments, alpha, self.kernel_size)
        self.L = importance_branch(in_channels, beta, conv1d_kernel_size)

    def mixing_weights(self, x: Tensor) -> Tensor:
        """Return the weights of frames, (n, k, t or 1, c).

        The branches are small, and their batch norms and softmax need the
        range of float32, so autocast does not reach them.
        """
        with without_autocast(x):
            dtype = next(self.parameters()).dtype
            return self.combine(clip_means(x, self.num_segments, dtype))

    def combine(self, means: Tensor) -> Tensor:
        """Map the means of the frames, (n, c, t), to weights."""
        kernel, gate = self.kernel(means), self.importance(means)
        # Weight k of frame t has the importance of its source, t + k - p.
        pad = self.kernel_size // 2
        gate = F.pad(gate, (0, 0, pad, pad))
        gates = [gate.narrow(1, k, self.num_segments) for k in range(2 * pad + 1)]
        return kernel * torch.stack(gates, 1)

    def kernel(self, means: Tensor) -> Tensor:
        """Return the kernels, (n, k, 1, c)."""
        # (n * c, k) -> (n, k, c)
        kernel = self.G(means.flatten(0, 1)).unflatten(0, means.shape[:2])
        kernel = kernel.transpose(1, 2)
        self.record(kernel=kernel)
        return kernel.unsqueeze(2)

    def importance(self, means: Tensor) -> Tensor:
        """Return the importances of the frames, (n, t, c)."""
        importance = self.L(means).transpose(1, 2)
        self.record(importance=importance)
        return importance


def check_kernel_size(kernel_size: int, num_segments: int) -> None:
    """Raise a ValueError if a kernel is even or longer than a clip."""
    check_odd('tam_cfg.adaptive_kernel_size', kernel_size)
    if num_segments < kernel_size:
        raise ValueError(
            f'num_segments={num_segments} frames are fewer than the {kernel_size} '
            'weights of the kernel; raise backbone.num_segments or lower '
            'tam_cfg.adaptive_kernel_size'
        )


def hidden_width(in_channels: int, beta: int, factor: int = 1) -> int:
    """Return how many channels are left, or raise a ValueError if none are."""
    hidden = in_channels // (factor * beta)
    if hidden == 0:
        raise ValueError(
            f'{in_channels} channels are less than {factor * beta}; change '
            f'tam_cfg.beta={beta}'
        )
    return hidden


# The zoo's checkpoints name the layers of the branches by their positions.


def kernel_branch(num_segments: int, alpha: int, kernel_size: int) -> nn.Sequential:
    """Map the T means of a channel to its kernel: (n * c, t) -> (n * c, k)."""
    hidden = alpha * num_segments
    return nn.Sequential(
        nn.Linear(num_segments, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, kernel_size, bias=False),
        nn.Softmax(-1),
    )


def importance_branch(in_channels: int, beta: int, kernel_size: int) -> nn.Sequential:
    """Map the means of all channels to importances: (n, c, t) -> (n, c, t)."""
    hidden = hidden_width(in_channels, beta)
    return nn.Sequential(
        nn.Conv1d(
            in_channels, hidden, kernel_size, padding=kernel_size // 2, bias=False
        ),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Conv1d(hidden, in_channels, 1, bias=False),
        nn.Sigmoid(),
    )
