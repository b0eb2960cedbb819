"""Temporal mixing in the plainest torch."""

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor


def mix_reference(frames: Tensor, weights: Tensor) -> Tensor:
    """Mix with weights in the plainest torch, as the formula is written.

    Shape:
        - frames: (n, t, c, h, w)
        - weights: (n or 1, k, t or 1, m), m being at most c
        - output: (n, t, c, h, w), of which the channels from m on are the input's
    """
    t, k = frames.size(1), weights.size(1)
    moved, kept = frames.tensor_split([weights.size(3)], 2)
    padded = F.pad(moved, (0, 0) * 3 + (k // 2, k // 2))
    # Not sum, which would begin with 0 and add to it.
    mixed = reduce(
        torch.add,
        (weights[:, i, ..., None, None] * padded[:, i : i + t] for i in range(k)),
    )
    return torch.cat((mixed, kept), 2) if kept.size(2) else mixed
