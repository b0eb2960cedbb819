"""Temporal adaptive module.

Paper: TAM: Temporal Adaptive Module for Video Recognition (ICCV 2021),
https://arxiv.org/abs/2005.06803
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtemporal.checks import check_choice, check_frames, check_odd, check_whole
from mmtemporal.ops import temporal_mix, without_autocast

# Its loop over the kernel hides the sizes from torch.fx.
torch.fx.wrap('temporal_mix')

# Which branches a variant has: (adaptive kernel, importance map).
_VARIANTS = {
    'tam': ('learnt', 'local'),
    'reversed': ('learnt', 'local'),
    'global': ('learnt', None),
    'local': (None, 'local'),
    'global_se': ('learnt', 'se'),
    'pool': ('mean', None),
    'conv': (None, None),
}


class TAM(nn.Module):
    r"""Mixes neighbouring frames with a kernel computed from the clip itself.

    A global branch (G) sees all frames of a channel and returns its kernel
    :math:`\Theta` of K taps; a local branch (L) returns an importance
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

    The variants are the paper's ablations (its Table 2): ``'tam'``;
    ``'reversed'``, TANet-R, which mixes first and then weights the output
    frames; ``'global'``, without importance; ``'local'``, without mixing;
    ``'global_se'``, where a squeeze-and-excitation gate, the same for all
    frames, is the importance; and two that use nothing of the clip,
    ``'pool'``, C2D-Pool, the mean of K frames, and ``'conv'``, C2D-TConv, a
    temporal convolution over all channels.

    Args:
        in_channels: Number of channels.
        num_segments: Number T of frames of a clip.
        alpha: The hidden width of the global branch is ``alpha * num_segments``
            (the paper's alpha).
        adaptive_kernel_size: Number K of taps, odd.
        beta: The hidden width of the local branch is ``in_channels // beta``
            (the paper's beta). That of ``'global_se'`` is half of it, which is
            what the paper's parameter count of 24.65 M leaves.
        conv1d_kernel_size: Frames seen by the first convolution of the local
            branch, odd. The authors' code ties it to K; here, as in the paper,
            it is 3 for any K.
        variant: One of the variants above.

    Shape:
        - input: (n * t, c, h, w), the frames of a clip being consecutive rows
        - output: (n * t, c, h, w), same dtype, device and memory format; of ``'conv'``
          contiguous

    Raises:
        ValueError: An argument does not fit the others, or the number of
            frames is no multiple of ``num_segments``.
    """

    def __init__(
        self,
        in_channels: int,
        num_segments: int,
        alpha: int = 2,
        adaptive_kernel_size: int = 3,
        beta: int = 4,
        conv1d_kernel_size: int = 3,
        variant: str = 'tam',
    ) -> None:
        super().__init__()
        check_choice('tam_cfg.variant', variant, _VARIANTS)
        check_whole('num_segments', num_segments)
        check_whole('tam_cfg.alpha', alpha)
        check_whole('tam_cfg.beta', beta)
        check_odd('tam_cfg.adaptive_kernel_size', adaptive_kernel_size)
        check_odd('tam_cfg.conv1d_kernel_size', conv1d_kernel_size)
        if num_segments < adaptive_kernel_size:
            raise ValueError(
                f'num_segments={num_segments} frames are fewer than the '
                f'{adaptive_kernel_size} taps of the kernel; raise '
                'backbone.num_segments or lower tam_cfg.adaptive_kernel_size'
            )
        self.num_segments = num_segments
        self.kernel_size = adaptive_kernel_size
        self.variant = variant
        kernel, gate = _VARIANTS[variant]
        if kernel == 'learnt':
            self.G = _kernel_branch(num_segments, alpha, adaptive_kernel_size)
        if gate is not None:
            divisor = beta if gate == 'local' else 2 * beta
            hidden = in_channels // divisor
            if hidden == 0:
                raise ValueError(
                    f'{in_channels} channels are less than {divisor}; change '
                    f'tam_cfg.beta={beta}'
                )
            if gate == 'local':
                self.L = _importance_branch(in_channels, hidden, conv1d_kernel_size)
            else:
                self.SE = _excitation_branch(in_channels, hidden)
        if variant == 'conv':
            self.conv = nn.Conv3d(
                in_channels,
                in_channels,
                (adaptive_kernel_size, 1, 1),
                padding=(adaptive_kernel_size // 2, 0, 0),
                bias=False,
            )

    def forward(self, x: Tensor) -> Tensor:
        check_frames(x.size(0), self.num_segments)
        if self.variant == 'conv':
            clips = x.unflatten(0, (-1, self.num_segments)).transpose(1, 2)
            return self.conv(clips).transpose(1, 2).flatten(0, 1)
        return temporal_mix(x, self.num_segments, self.taps(x))

    def taps(self, x: Tensor) -> Tensor:
        """Computes the weights with which the frames are mixed.

        The branches are small, and their batch norms and softmax need the
        range of float32, so autocast does not reach them.

        Shape:
            - input: (n * t, c, h, w)
            - output: (n, k, t, c), see :func:`mmtemporal.ops.temporal_mix`
        """
        if self.variant == 'pool':
            return x.new_full((1, self.kernel_size, 1, 1), 1 / self.kernel_size)
        dtype = next(self.parameters()).dtype
        with without_autocast(x):
            # (n * t, c) -> (n, c, t)
            means = x.mean((2, 3), dtype=dtype)
            means = means.unflatten(0, (-1, self.num_segments)).transpose(1, 2)
            if not hasattr(self, 'G'):
                return self.L(means).transpose(1, 2).unsqueeze(1)
            # (n * c, k) -> (n, k, 1, c)
            kernel = self.G(means.flatten(0, 1)).unflatten(0, means.shape[:2])
            kernel = kernel.transpose(1, 2).unsqueeze(2)
            if self.variant == 'global':
                return kernel
            if self.variant == 'global_se':
                # (n, c, 1) -> (n, 1, 1, c)
                gate = self.SE(means.mean(2, keepdim=True))
                return kernel * gate.transpose(1, 2).unsqueeze(1)
            gate = self.L(means).transpose(1, 2)  # (n, t, c)
            if self.variant == 'reversed':
                return kernel * gate.unsqueeze(1)
            # Tap k of frame t has the importance of its source, t + k - p.
            pad = self.kernel_size // 2
            gate = F.pad(gate, (0, 0, pad, pad))
            gates = [gate.narrow(1, k, self.num_segments) for k in range(2 * pad + 1)]
            return kernel * torch.stack(gates, 1)


# The zoo's checkpoints name the layers of the branches by their positions.


def _kernel_branch(num_segments: int, alpha: int, kernel_size: int) -> nn.Sequential:
    """Maps the T means of a channel to its K taps: (n * c, t) -> (n * c, k)."""
    hidden = alpha * num_segments
    return nn.Sequential(
        nn.Linear(num_segments, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, kernel_size, bias=False),
        nn.Softmax(-1),
    )


def _importance_branch(
    in_channels: int, hidden: int, kernel_size: int
) -> nn.Sequential:
    """Maps the means of all channels to importances: (n, c, t) -> (n, c, t)."""
    return nn.Sequential(
        nn.Conv1d(
            in_channels, hidden, kernel_size, padding=kernel_size // 2, bias=False
        ),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Conv1d(hidden, in_channels, 1, bias=False),
        nn.Sigmoid(),
    )


def _excitation_branch(in_channels: int, hidden: int) -> nn.Sequential:
    """Squeeze-and-excitation on the mean over frames: (n, c, 1) -> (n, c, 1)."""
    return nn.Sequential(
        nn.Conv1d(in_channels, hidden, 1),
        nn.ReLU(inplace=True),
        nn.Conv1d(hidden, in_channels, 1),
        nn.Sigmoid(),
    )
