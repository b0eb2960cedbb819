"""What layers know of a frame: the means of its channels."""

from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from .tracing import is_symbolic, is_traced


def frame_means(
    x: Tensor, dtype: torch.dtype, num_channels: Optional[int] = None
) -> Tensor:
    """Average each channel of each frame over space.

    Args:
        x: Frames.
        dtype: That of the means, in which sums are taken.
        num_channels: How many channels, from the first one. Defaults to all.

    Shape:
        - x: (b, c, h, w)
        - output: (b, num_channels)
    """
    if is_traced() or is_symbolic(x):
        return x[:, :num_channels].mean((2, 3), dtype=dtype)
    return _FrameMeans.apply(x, dtype, num_channels)


class _FrameMeans(torch.autograd.Function):
    """Means whose gradient takes no memory.

    It is the same for all pixels, and autograd adds it to another gradient of the
    frames as it is. That of ``Tensor.mean`` is as large as the frames, in ``dtype``,
    with zeros for the channels that were left out.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, dtype: torch.dtype, num_channels: Optional[int]) -> Tensor:
        return x[:, :num_channels].mean((2, 3), dtype=dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        x, *ctx.options = inputs
        ctx.shape, ctx.dtype = x.shape, x.dtype

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple:
        c, h, w = ctx.shape[1:]
        grad = F.pad(grad / (h * w), (0, c - grad.size(1))).to(ctx.dtype)
        return grad[..., None, None].expand(ctx.shape), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        return _FrameMeans.forward(tangent, *ctx.options)
