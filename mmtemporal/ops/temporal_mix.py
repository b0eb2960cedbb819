"""Mixing the frames of a clip: the one primitive under every temporal module.

    y[n, t, c] = sum_s A[n, c, t, s] * x[n, s, c]

TAM, TIN, TSM, TDN's channel shift and TAda's temporal average differ only in
how they choose ``A``. Two forms are offered: a band of K taps, which costs K
multiply-adds a value, and the full T x T matrix, shared by groups of channels.
"""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from .autocast import without_autocast


def temporal_mix(
    x: Tensor,
    num_segments: int,
    *,
    taps: Optional[Tensor] = None,
    matrix: Optional[Tensor] = None,
) -> Tensor:
    """Replaces every frame by a weighted sum of the frames of its clip.

    Exactly one of ``taps`` and ``matrix`` is given. Frames outside the clip
    count as zero. Gradients of any order are exact, and only the inputs are
    kept for the backward pass.

    Args:
        x: Frames, those of one clip being consecutive rows. Its channels may
            be a slice of a larger tensor.
        num_segments: Number T of frames of a clip.
        taps: ``taps[n, k, t, c]`` is the weight of frame ``t + k - K // 2`` in
            output frame ``t``. K is odd. The sizes n, t and c may be 1: the
            same weights for every clip, frame or channel.
        matrix: ``matrix[n, g, t, s]`` is the weight of frame ``s`` in output
            frame ``t``, for the g-th of G equal runs of channels. The size n
            may be 1.

    Shape:
        - x: (n * t, c, h, w)
        - taps: (n or 1, k, t or 1, c or 1)
        - matrix: (n or 1, g, t, t)
        - output: (n * t, c, h, w), with the dtype and memory format of ``x``

    Raises:
        ValueError: The number of frames is no multiple of ``num_segments``, or
            the weights do not fit the frames.
    """
    if (taps is None) == (matrix is None):
        raise ValueError('temporal_mix takes either taps or matrix, got both or none')
    if x.dim() != 4 or x.size(0) % num_segments:
        raise ValueError(
            f'temporal_mix expects frames (n * t, c, h, w) with t = num_segments = '
            f'{num_segments}, got shape {tuple(x.shape)}'
        )
    frames = x.unflatten(0, (-1, num_segments))
    # Products in lower precision would change the dtype that the caller sees.
    with without_autocast(x):
        if taps is not None:
            _check_taps(taps, frames)
            mixed = _mix_taps(frames, taps.to(x.dtype))
        else:
            _check_matrix(matrix, frames)
            mixed = _mix_matrix(frames, matrix.to(x.dtype))
    # Not flatten: exporters would carry the number of frames as t * (n * t // t).
    return mixed.reshape(x.shape)


def _check_taps(taps: Tensor, frames: Tensor) -> None:
    n, t, c = frames.shape[:3]
    fits = taps.dim() == 4 and all(
        size in (1, full) for size, full in zip(taps.shape[::2], (n, t))
    )
    if not fits or taps.size(1) % 2 == 0 or taps.size(3) not in (1, c):
        raise ValueError(
            f'taps must be (n or 1, k, t or 1, c or 1) with an odd k and n={n}, '
            f't={t}, c={c}, got {tuple(taps.shape)}'
        )


def _check_matrix(matrix: Tensor, frames: Tensor) -> None:
    n, t, c = frames.shape[:3]
    if (
        matrix.dim() != 4
        or matrix.size(0) not in (1, n)
        or c % matrix.size(1)
        or matrix.shape[2:] != (t, t)
    ):
        raise ValueError(
            f'matrix must be (n or 1, g, t, t) with n={n}, t={t} and g a divisor of '
            f'c={c}, got {tuple(matrix.shape)}'
        )


# ---------------------------------------------------------------- taps


def _mix_taps(frames: Tensor, taps: Tensor) -> Tensor:
    """Mixes (n, t, c, h, w) with taps (n or 1, k, t or 1, c or 1)."""
    if _is_traced():
        return mix_taps_reference(frames, taps)
    n, t, c = frames.shape[:3]
    return _MixTaps.apply(frames, taps.expand(n, -1, t, c))


def mix_taps_reference(frames: Tensor, taps: Tensor) -> Tensor:
    """Mixes with taps in the plainest torch, as the formula is written.

    Shape:
        - frames: (n, t, c, h, w)
        - taps: (n or 1, k, t or 1, c or 1)
        - output: (n, t, c, h, w)
    """
    t, k = frames.size(1), taps.size(1)
    padded = _pad_time(frames, k // 2)
    return sum(taps[:, i, ..., None, None] * padded[:, i : i + t] for i in range(k))


def _pad_time(value: Tensor, size: int) -> Tensor:
    """Puts zero frames before and behind dimension -4 (frames) or -2 (taps)."""
    inner = 3 if value.dim() == 5 else 1
    return F.pad(value, (0, 0) * inner + (size, size))


class _MixTaps(torch.autograd.Function):
    """Mixing by shifted multiply-adds, which keeps nothing but its inputs.

    Measured on CPUs this is the fastest of the formulations compared by
    ``tools/benchmark.py`` but for maps of a few pixels.
    """

    @staticmethod
    def forward(frames: Tensor, taps: Tensor) -> Tensor:
        t, k = frames.size(1), taps.size(1)
        taps = taps[..., None, None]
        mixed = frames * taps[:, k // 2]
        for i in range(k):
            # Output frames start..stop see a frame `step` later inside the clip.
            step = i - k // 2
            start, stop = max(0, -step), min(t, t - step)
            if step and start < stop:
                source = frames[:, start + step : stop + step]
                target, weight = mixed[:, start:stop], taps[:, i, start:stop]
                if _is_large(frames):
                    target.addcmul_(source, weight)
                else:
                    target.add_(source * weight)
        return mixed

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple:
        frames, taps = ctx.saved_tensors
        return (
            _MixTaps.apply(grad, _adjoint_taps(taps))
            if ctx.needs_input_grad[0]
            else None,
            _CorrelateTaps.apply(grad, frames, taps.size(1))
            if ctx.needs_input_grad[1]
            else None,
        )


class _CorrelateTaps(torch.autograd.Function):
    """The gradient of the taps: products of two clips' frames K apart.

    ``out[n, k, t, c]`` is the inner product of ``left[n, t, c]`` and
    ``right[n, t + k - K // 2, c]``. Its own gradients are again mixings, which
    gives the second derivatives.
    """

    @staticmethod
    def forward(left: Tensor, right: Tensor, num_taps: int) -> Tensor:
        if _is_planar(left) and _is_planar(right) and _is_large(left):
            return _matrix_to_taps(_inner_products(left, right), num_taps)
        t = left.size(1)
        padded = _pad_time(right, num_taps // 2)
        return torch.stack(
            [(left * padded[:, i : i + t]).sum((-2, -1)) for i in range(num_taps)], 1
        )

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple:
        left, right = ctx.saved_tensors
        return (
            _MixTaps.apply(right, grad) if ctx.needs_input_grad[0] else None,
            _MixTaps.apply(left, _adjoint_taps(grad))
            if ctx.needs_input_grad[1]
            else None,
            None,
        )


def _adjoint_taps(taps: Tensor) -> Tensor:
    """Returns the taps of the transposed matrix."""
    k, t = taps.shape[1:3]
    padded = _pad_time(taps, k // 2)
    return torch.stack([padded[:, k - 1 - i, i : i + t] for i in range(k)], 1)


def _matrix_to_taps(matrix: Tensor, num_taps: int) -> Tensor:
    """Cuts the band out of (n, c, t, t): (n, num_taps, t, c)."""
    padded = F.pad(matrix, (num_taps // 2, num_taps // 2))
    band = [padded.diagonal(i, -2, -1) for i in range(num_taps)]
    return torch.stack(band, 1).transpose(2, 3)


# -------------------------------------------------------------- matrix


def _mix_matrix(frames: Tensor, matrix: Tensor) -> Tensor:
    """Mixes (n, t, c, h, w) with a matrix (n or 1, g, t, t)."""
    if _is_traced():
        return mix_matrix_reference(frames, matrix)
    n, t, c = frames.shape[:3]
    if not _is_planar(frames):
        # A run of channels is no block of memory here, so a product would have
        # to copy the map. The band of all 2T - 1 diagonals is the same matrix.
        taps = _matrix_to_taps(matrix, 2 * t - 1)
        return _mix_taps(frames, taps.repeat_interleave(c // matrix.size(1), 3))
    # (n, t, c, h, w) -> (n, g, t, c / g * h * w), a view
    groups = frames.flatten(2).unflatten(2, (matrix.size(1), -1)).transpose(1, 2)
    matrix = matrix.expand(n, -1, -1, -1)
    # A single product over n and g would copy the map: the two dimensions are no
    # one stride apart. So it runs once for each item of the smaller of them.
    if n < matrix.size(1):
        pairs = zip(matrix, groups)
        mixed = torch.stack([torch.bmm(a, b).transpose(0, 1) for a, b in pairs])
    else:
        pairs = zip(matrix.unbind(1), groups.unbind(1))
        mixed = torch.stack([torch.bmm(a, b) for a, b in pairs], 2)
    return mixed.view(frames.shape)  # from (n, t, g, c / g * h * w)


def mix_matrix_reference(frames: Tensor, matrix: Tensor) -> Tensor:
    """Mixes with a matrix in the plainest torch, as the formula is written.

    Shape:
        - frames: (n, t, c, h, w)
        - matrix: (n or 1, g, t, t)
        - output: (n, t, c, h, w)
    """
    groups = frames.flatten(2).unflatten(2, (matrix.size(1), -1)).transpose(1, 2)
    return (matrix @ groups).transpose(1, 2).reshape(frames.shape)


def _inner_products(left: Tensor, right: Tensor) -> Tensor:
    """Multiplies all frames of (n, t, c, h, w) pairwise: (n, c, t, t)."""
    left = left.flatten(3).transpose(1, 2)
    right = right.flatten(3).permute(0, 2, 3, 1)
    return torch.stack([torch.bmm(a, b) for a, b in zip(left, right)])


def _is_traced() -> bool:
    """Tells whether a compiler or exporter is recording.

    It fuses the plain form by itself, and needs a graph without writes and
    without loops over the clips.
    """
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def _is_large(frames: Tensor) -> bool:
    """Tells whether maps are large enough for the kernels that loop over pixels.

    Measured on CPUs: on smaller maps their inner loops are too short.
    """
    return frames.size(-2) * frames.size(-1) > 32


def _is_planar(frames: Tensor) -> bool:
    """Tells whether every frame of (n, t, c, h, w) is one block of memory."""
    h, w = frames.shape[-2:]
    return frames.stride()[2:] == (h * w, w, 1)
