"""Mixing the frames of a clip: the one primitive under every temporal module.

    y[n, t, c] = sum_s A[n, c, t, s] * x[n, s, c]

TAM, TIN, TSM, TDN's channel shift and TAda's temporal average differ only in
how they choose ``A``. In all of them only near frames meet, so it is given as its
band of K weights, which costs K multiply-adds a value.
"""

from typing import Any, Optional

import torch
from torch import Tensor

from .autocast import without_autocast
from .band import cut_band, transpose_band
from .kernel_check import has_kernels
from .mix_reference import mix_reference
from .tracing import is_traced


def temporal_mix(
    x: Tensor, num_segments: int, weights: Tensor, num_channels: Optional[int] = None
) -> Tensor:
    """Replace every frame by a weighted sum of the frames around it.

    Frames outside the clip count as zero. Gradients of any order are exact, and
    only the inputs are kept for the backward pass.

    Args:
        x: Frames, those of one clip being consecutive rows. Its channels may
            be a slice of a larger tensor.
        num_segments: Number T of frames of a clip.
        weights: ``weights[n, k, t, g]`` is the weight of frame ``t + k - K // 2`` in
            output frame ``t``, for the g-th of G equal runs of channels. K is
            odd; with K = 2T - 1 every frame reaches every other. The sizes n
            and t may be 1: the same weights for every clip or frame.
        num_channels: Only the first so many channels are mixed; the others stay as
            they are. Defaults to all.

    Shape:
        - x: (n * t, c, h, w)
        - weights: (n or 1, k, t or 1, g), g being a divisor of num_channels
        - output: (n * t, c, h, w), with the dtype and memory format of ``x``

    Raises:
        ValueError: The number of frames is no multiple of ``num_segments``, or
            the weights do not fit the frames.
    """
    if x.dim() != 4 or x.size(0) % num_segments:
        raise ValueError(
            f'temporal_mix expects frames (n * t, c, h, w) with t = num_segments = '
            f'{num_segments}, got shape {tuple(x.shape)}'
        )
    frames = x.unflatten(0, (-1, num_segments))
    num_channels = x.size(1) if num_channels is None else num_channels
    _check_weights(weights, frames, num_channels)
    # Products in lower precision would change the dtype that the caller sees.
    with without_autocast(x):
        weights = weights.to(x.dtype)
        run = num_channels // weights.size(3)
        if run > 1:  # to (n or 1, k, t or 1, num_channels)
            weights = weights[..., None].expand(-1, -1, -1, -1, run).flatten(3)
        mixed = _mix_frames(frames, weights)
    # Not flatten: exporters would carry the number of frames as t * (n * t // t).
    return mixed.reshape(x.shape)


def _check_weights(weights: Tensor, frames: Tensor, num_channels: int) -> None:
    n, t = frames.shape[:2]
    # Not `size in (1, full)`, which torch 2.6 does not trace for symbolic sizes.
    fits = weights.dim() == 4 and all(
        size == 1 or size == full for size, full in zip(weights.shape[::2], (n, t))
    )
    if not fits or weights.size(1) % 2 == 0 or num_channels % weights.size(3):
        raise ValueError(
            f'weights must be (n or 1, k, t or 1, g) with an odd k, n={n}, t={t} and g '
            f'a divisor of {num_channels} channels, got {tuple(weights.shape)}'
        )


def _mix_frames(frames: Tensor, weights: Tensor) -> Tensor:
    """Mix the first m channels of (n, t, c, h, w) with (n or 1, k, t or 1, m)."""
    if is_traced():
        return mix_reference(frames, weights)
    n, t, c = frames.shape[:3]
    if (
        # The plain form changes the memory format of others.
        _is_tiny(frames)
        and _is_planar(frames)
        and weights.size(3) == c
        and not has_kernels(frames)
    ):
        # Of a single pixel, the weights would decide in which order it is written.
        return mix_reference(frames, weights).contiguous()
    # Contiguous, as products with frames in channels last are slow otherwise.
    return _Mix.apply(frames, weights.contiguous().expand(n, -1, t, -1))


class _Mix(torch.autograd.Function):
    """Mixing by shifted multiply-adds, which keeps nothing but its inputs.

    Of the formulations that ``benchmarks/temporal_mix.py`` compares it is the fastest
    on CPUs, but for a single clip of large feature maps and for those of a few pixels.
    GPUs have kernels.
    """

    @staticmethod
    def forward(frames: Tensor, weights: Tensor) -> Tensor:
        moved, kept = frames.tensor_split([weights.size(3)], 2)
        if has_kernels(frames):
            mixed = torch.ops.mmtemporal.mix_frames(moved, weights)
            return torch.cat((mixed, kept), 2) if kept.size(2) else mixed
        out = torch.empty_like(frames)
        mixed, rest = out.tensor_split([weights.size(3)], 2)
        rest.copy_(kept)
        if _is_added_apart(frames, kept):
            wide = torch.promote_types(frames.dtype, torch.float32)
            mixed.copy_(_add_shifted(moved.to(wide), weights.to(wide)))
        else:
            _add_shifted(moved, weights, out=mixed)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple:
        frames, weights = ctx.saved_tensors
        k, m = weights.size(1), weights.size(3)
        return (
            _Mix.apply(grad, transpose_band(weights))
            if ctx.needs_input_grad[0]
            else None,
            _Correlate.apply(grad[:, :, :m], frames[:, :, :m], k)
            if ctx.needs_input_grad[1]
            else None,
        )


def _add_shifted(
    frames: Tensor, weights: Tensor, out: Optional[Tensor] = None
) -> Tensor:
    """Mix all channels of (n, t, m, h, w) with (n, k, t, m)."""
    t, k = frames.size(1), weights.size(1)
    weights = weights[..., None, None]
    out = torch.mul(frames, weights[:, k // 2], out=out)
    for i in range(k):
        step, start, stop = _overlap(i, k, t)
        if step and start < stop:
            source = frames[:, start + step : stop + step]
            target, weight = out[:, start:stop], weights[:, i, start:stop]
            if _is_large(frames):
                target.addcmul_(source, weight)
            else:
                target.add_(source * weight)
    return out


def _overlap(index: int, num_weights: int, t: int) -> tuple[int, int, int]:
    """Return how much later the frames of a weight are, and which frames have one."""
    step = index - num_weights // 2
    return step, max(0, -step), min(t, t - step)


class _Correlate(torch.autograd.Function):
    """The gradient of the weights: products of two clips' frames K apart.

    ``out[n, k, t, c]`` is the inner product of ``left[n, t, c]`` and
    ``right[n, t + k - K // 2, c]``. Its own gradients are again mixings, which
    gives the second derivatives.
    """

    @staticmethod
    def forward(left: Tensor, right: Tensor, num_weights: int) -> Tensor:
        if has_kernels(left):
            return torch.ops.mmtemporal.correlate_frames(left, right, num_weights)
        if _is_planar(left) and _is_planar(right) and _is_large(left):
            return cut_band(_inner_products(left, right), num_weights)
        n, t, c = left.shape[:3]
        weights = left.new_zeros(n, num_weights, t, c)
        for i in range(num_weights):
            step, start, stop = _overlap(i, num_weights, t)
            if start < stop:
                product = left[:, start:stop] * right[:, start + step : stop + step]
                weights[:, i, start:stop] = product.sum((-2, -1))
        return weights

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple:
        left, right = ctx.saved_tensors
        return (
            _Mix.apply(right, grad) if ctx.needs_input_grad[0] else None,
            _Mix.apply(left, transpose_band(grad)) if ctx.needs_input_grad[1] else None,
            None,
        )


def _inner_products(left: Tensor, right: Tensor) -> Tensor:
    """Multiply all frames of (n, t, c, h, w) pairwise: (n, c, t, t)."""
    left = left.flatten(3).transpose(1, 2)
    right = right.flatten(3).permute(0, 2, 3, 1)
    return torch.stack([torch.bmm(a, b) for a, b in zip(left, right)])


def _is_added_apart(frames: Tensor, kept: Tensor) -> bool:
    """Whether sums are taken in a tensor of their own, in float32 at least.

    Measured on CPUs: channels that are a slice cost more with every weight, and small
    feature maps of 16 bits more than to convert them.
    """
    is_short = frames.dtype.itemsize < 4
    return kept.size(2) > 0 or (is_short and frames.shape[-2:].numel() <= 14 * 14)


def _is_large(frames: Tensor) -> bool:
    """Whether feature maps are large enough for the kernels that loop over pixels.

    Measured on CPUs: on smaller ones their inner loops are too short.
    """
    return frames.size(-2) * frames.size(-1) > 32


def _is_tiny(frames: Tensor) -> bool:
    """Whether calls take longer than what they compute, so that the fewest are best."""
    return frames.size(-2) * frames.size(-1) <= 16


def _is_planar(frames: Tensor) -> bool:
    """Whether every frame of (n, t, c, h, w) is one block of memory."""
    h, w = frames.shape[-2:]
    return frames.stride()[2:] == (h * w, w, 1)
