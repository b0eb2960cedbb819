"""Routing functions: what computes the calibrations of a TAdaConv.

Papers: TAda! Temporally-Adaptive Convolutions for Video Understanding (ICLR
2022), https://arxiv.org/abs/2110.06178; Temporally-Adaptive Models for
Efficient Video Understanding, https://arxiv.org/abs/2308.05787
"""

from collections.abc import Sequence
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtemporal.checks import are_integers, check_integer


class _TemporalRouting(nn.Module):
    """What both routing functions share: the zero-initialised last convolutions.

    Args:
        hidden: Number of channels before the last convolutions.
        out_channels: Length of a calibration vector.
        kernel_size: Frames seen by the last convolutions, odd.
        bias_channels: Length of the second output, for the bias; None: none.
    """

    def __init__(
        self,
        hidden: int,
        out_channels: int,
        kernel_size: int,
        bias_channels: Optional[int],
    ) -> None:
        super().__init__()
        self.b = _temporal_conv(hidden, out_channels, kernel_size, bias=False)
        self.bias_channels = bias_channels
        if bias_channels:
            self.b_bias = _temporal_conv(hidden, bias_channels, kernel_size, bias=False)

    def init_weights(self) -> None:
        """Initialise all weights; the calibrations are then exactly one."""
        for module in self.modules():
            if isinstance(module, (nn.Conv1d, nn.Linear)):
                nn.init.kaiming_normal_(
                    module.weight, mode='fan_out', nonlinearity='relu'
                )
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.init_identity()

    def init_identity(self) -> None:
        """Zero the last convolutions, so that the calibrations are one."""
        nn.init.zeros_(self.b.weight)
        if self.bias_channels:
            nn.init.zeros_(self.b_bias.weight)

    def hidden(self, means: Tensor) -> Tensor:
        """Map what the routing sees to what the last convolutions see."""
        raise NotImplementedError

    def forward(self, means: Tensor) -> tuple[Tensor, Optional[Tensor]]:
        hidden = self.hidden(means.transpose(1, 2))
        # Contiguous, as products with frames in channels last are slow otherwise.
        weight = self.b(hidden).transpose(1, 2).contiguous()
        if not self.bias_channels:
            return weight, None
        return weight, self.b_bias(hidden).transpose(1, 2).contiguous()


class ConvRouting(_TemporalRouting):
    r"""Compute calibrations from neighbouring frames and the whole clip.

    ::

        means (n, c, t) --+---------------------- + -- conv a, norm, ReLU -- conv b
                          +-- mean over t -- g ---+

    Zeros stand before and behind the clip. The last convolution has no bias
    and starts at zero, so that a new routing function returns no deviation.

    Args:
        in_channels: Number of channels of the frames.
        out_channels: Length of a calibration vector. Defaults to
            ``in_channels``.
        reduction: The hidden width is ``in_channels // reduction``.
        kernel_sizes: Frames seen by the two convolutions, odd.
        use_global: Whether the mean of the clip is added (g).
        norm: 'bn', batch norm and ReLU; or 'ln', layer norm and GELU, the
            second flavour of TAdaConvNeXt.
        bias_channels: Length of the calibration vector of the convolution's
            bias, which a second convolution, b_bias, computes. None: none.

    Shape:
        - input: (n, t, in_channels), the means of the frames over h and w
        - output: (n, t, out_channels), how far the calibrations are from one;
          and the same of the bias, (n, t, bias_channels), or None

    Raises:
        ValueError: An argument does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: Optional[int] = None,
        reduction: int = 4,
        kernel_sizes: Sequence[int] = (3, 3),
        use_global: bool = True,
        norm: str = 'bn',
        bias_channels: Optional[int] = None,
    ) -> None:
        hidden = _hidden_width(in_channels, reduction)
        _check_kernel_sizes(kernel_sizes)
        if norm not in ('bn', 'ln'):
            raise ValueError(f"routing.norm={norm!r} is none of 'bn', 'ln'")
        super().__init__(
            hidden, out_channels or in_channels, kernel_sizes[1], bias_channels
        )
        self.use_global = use_global
        if use_global:
            self.g = nn.Conv1d(in_channels, in_channels, 1)
        self.a = _temporal_conv(in_channels, hidden, kernel_sizes[0])
        if norm == 'bn':
            self.bn = nn.BatchNorm1d(hidden)
        else:
            self.ln = nn.LayerNorm(hidden, eps=1e-6)
        self.init_weights()

    def hidden(self, means: Tensor) -> Tensor:
        """Map (n, in_channels, t) to (n, hidden, t)."""
        if self.use_global:
            means = means + self.g(means.mean(2, keepdim=True))
        hidden = self.a(means)
        if hasattr(self, 'bn'):
            return F.relu(self.bn(hidden))
        return F.gelu(self.ln(hidden.transpose(1, 2))).transpose(1, 2)


class AttentionRouting(_TemporalRouting):
    r"""Compute calibrations with self-attention over the frames of the clip.

    ::

        means -- conv a, norm, QuickGELU --+-------------------------- + -- conv b
                                           +-- norm_attn, attention ---+

    Scores are scaled with the whole hidden width, not with the width of a
    head; and within each of q, k and v the head is the fastest index of the
    channels, while the heads' results are put one behind another. Released
    checkpoints are made for both.

    A new one returns zeros, as TAdaConvNeXtV2 adds one to what it returns. TAdaFormer's
    :class:`~mmtemporal.models.layers.tada_block.TAdaBlock` adds nothing, and draws the
    last convolutions anew.

    Args:
        in_channels: Number of channels of the frames.
        out_channels: Length of a calibration vector. Defaults to
            ``in_channels``.
        reduction: The hidden width is ``in_channels // reduction``.
        kernel_sizes: Frames seen by the two convolutions, odd.
        head_dim: Number of channels of an attention head.
        bias_channels: Length of the calibration vector of the convolution's
            bias, which a second convolution, b_bias, computes. None: none.

    Shape:
        - input: (n, t, in_channels), the means of the frames over h and w
        - output: (n, t, out_channels), how far the calibrations are from one;
          and the same of the bias, (n, t, bias_channels), or None

    Raises:
        ValueError: An argument does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: Optional[int] = None,
        reduction: int = 2,
        kernel_sizes: Sequence[int] = (3, 3),
        head_dim: int = 48,
        bias_channels: Optional[int] = None,
    ) -> None:
        hidden = _hidden_width(in_channels, reduction)
        _check_kernel_sizes(kernel_sizes)
        check_integer('routing.head_dim', head_dim)
        if hidden % head_dim:
            raise ValueError(
                f'the hidden width {hidden} of the routing function is no multiple '
                f'of routing.head_dim={head_dim}; it is {in_channels} channels '
                f'divided by routing.reduction={reduction}'
            )
        super().__init__(
            hidden, out_channels or in_channels, kernel_sizes[1], bias_channels
        )
        self.num_heads = hidden // head_dim
        self.a = _temporal_conv(in_channels, hidden, kernel_sizes[0])
        self.norm = nn.LayerNorm(hidden, eps=1e-6)
        self.norm_attn = nn.LayerNorm(hidden, eps=1e-6)
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.proj = nn.Linear(hidden, hidden)
        self.init_weights()

    def hidden(self, means: Tensor) -> Tensor:
        """Map (n, in_channels, t) to (n, hidden, t)."""
        hidden = quick_gelu(self.norm(self.a(means).transpose(1, 2)))
        hidden = hidden + self._attention(self.norm_attn(hidden))
        return hidden.transpose(1, 2)

    def _attention(self, x: Tensor) -> Tensor:
        # (n, t, 3 * head_dim * heads) -> (3, n, heads, t, head_dim)
        qkv = self.qkv(x).unflatten(2, (3, -1, self.num_heads)).permute(2, 0, 4, 1, 3)
        q, k, v = qkv.unbind(0)
        out = F.scaled_dot_product_attention(q, k, v, scale=x.size(2) ** -0.5)
        # (n, heads, t, head_dim) -> (n, t, heads * head_dim)
        return self.proj(out.transpose(1, 2).flatten(2))


def quick_gelu(x: Tensor) -> Tensor:
    """Compute the GELU of CLIP: ``x * sigmoid(1.702 * x)``."""
    return x * torch.sigmoid(1.702 * x)


def _temporal_conv(
    in_channels: int, out_channels: int, size: int, bias: bool = True
) -> nn.Conv1d:
    return nn.Conv1d(in_channels, out_channels, size, padding=size // 2, bias=bias)


def _hidden_width(in_channels: int, reduction: int) -> int:
    check_integer('routing.reduction', reduction)
    if in_channels < reduction:
        raise ValueError(
            f'{in_channels} channels are less than routing.reduction={reduction}'
        )
    return in_channels // reduction


def _check_kernel_sizes(kernel_sizes: Sequence[int]) -> None:
    if not are_integers(kernel_sizes, 2) or any(size % 2 == 0 for size in kernel_sizes):
        raise ValueError(
            f'routing.kernel_sizes must be two odd numbers, got {kernel_sizes!r}'
        )
