"""Pooling over neighbouring frames."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmtemporal.ops import split_clips, temporal_mix

# Its loop over the kernel hides the sizes from torch.fx.
torch.fx.wrap('temporal_mix')


def temporal_pool(x: Tensor, num_segments: int, mode: str = 'avg') -> Tensor:
    """Average, or take the maximum of, every frame and its two neighbours.

    The average counts the zeros beyond the ends of the clip, so that an end
    frame gets two thirds of the mean of two; TAda2D is defined so.

    Args:
        x: Frames.
        num_segments: Number T of frames of a clip.
        mode: 'avg' or 'max'.

    Shape:
        - input: (n * t, c, h, w), the frames of a clip being consecutive rows
        - output: (n * t, c, h, w)

    Raises:
        ValueError: The number of frames is no multiple of ``num_segments``.
    """
    if mode == 'avg':
        return temporal_mix(x, num_segments, x.new_full((1, 3, 1, 1), 1 / 3))
    # (n * t, c, h, w) -> (n, t, c * h * w)
    clips = split_clips(x, num_segments).flatten(2)
    return F.max_pool2d(clips, (3, 1), 1, (1, 0)).reshape(x.shape)
