"""Position embeddings of patches."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def resize_positions(
    embedding: Tensor, old: Sequence[int], new: Sequence[int], mode: str
) -> Tensor:
    """Resize a position embedding to another grid; the class token's stays.

    Args:
        embedding: The embedding.
        old: Its grid, (h, w).
        new: The grid that it shall have, (h', w').
        mode: How it is interpolated, 'bicubic' or 'bilinear'.

    Shape:
        - embedding: (1 + h * w, c)
        - output: (1 + h' * w', c)
    """
    token, patches = embedding[:1], embedding[1:].unflatten(0, tuple(old))
    resized = F.interpolate(
        patches.permute(2, 0, 1)[None], tuple(new), mode=mode, align_corners=False
    )
    return torch.cat((token, resized[0].flatten(1).t()))
