"""Band matrices, given by the K weights of each of their rows."""

import torch
import torch.nn.functional as F
from torch import Tensor


def transpose_band(weights: Tensor) -> Tensor:
    """Return the weights of the transposed matrices.

    Shape:
        - weights, output: (n, k, t, c)
    """
    k, t = weights.shape[1:3]
    padded = F.pad(weights, (0, 0, k // 2, k // 2))
    return torch.stack([padded[:, k - 1 - i, i : i + t] for i in range(k)], 1)


def cut_band(matrix: Tensor, num_weights: int) -> Tensor:
    """Return the weights in the band of whole matrices.

    Shape:
        - matrix: (n, c, t, t)
        - output: (n, num_weights, t, c)
    """
    padded = F.pad(matrix, (num_weights // 2, num_weights // 2))
    band = [padded.diagonal(i, -2, -1) for i in range(num_weights)]
    return torch.stack(band, 1).transpose(2, 3)


def fill_band(weights: Tensor, num_segments: int) -> Tensor:
    """Return the whole matrices.

    Shape:
        - weights: (n, k, t or 1, g), see :func:`mmtemporal.ops.temporal_mix`
        - output: (n, g, t, t), rows being output frames
    """
    n, k, _, g = weights.shape
    t, reach = num_segments, k // 2
    weights = weights.expand(-1, -1, t, -1)
    # With columns for the frames beyond both ends, which count as zero.
    matrix = weights.new_zeros(n, g, t, t + 2 * reach)
    for i in range(k):
        matrix.diagonal(i, -2, -1).copy_(weights[:, i].transpose(1, 2))
    return matrix[..., reach : reach + t]
