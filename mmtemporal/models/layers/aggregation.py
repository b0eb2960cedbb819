"""Temporal aggregation behind batch norms, as one mixing of frames.

Papers: TAda! Temporally-Adaptive Convolutions for Video Understanding (ICLR
2022), https://arxiv.org/abs/2110.06178; Temporally-Adaptive Models for
Efficient Video Understanding, https://arxiv.org/abs/2308.05787
"""

from typing import Any

import torch
from torch import Tensor


def scale_and_shift(norm: Any) -> tuple[Tensor, Tensor]:
    """Return what a batch norm multiplies and adds in eval mode."""
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale.detach(), (norm.bias - norm.running_mean * scale).detach()


def aggregation_weights(scale: Tensor, pooled_scale: Tensor) -> Tensor:
    """Return the weights of a frame and its neighbours in a sum of both.

    The average over three frames, times its scale, is added to the frame, times its.

    Shape:
        - scale, pooled_scale: (c,)
        - output: (1, 3, 1, c), as :func:`mmtemporal.ops.temporal_mix` takes them
    """
    side = pooled_scale / 3
    return torch.stack((side, scale + side, side))[None, :, None]
