"""Temporal mixing on GPUs: two operators of torch, run by Triton kernels.

``torch.ops.mmtemporal.mix_frames`` and ``torch.ops.mmtemporal.correlate_frames`` are
closed under differentiation, so both have gradients of any order. Importing this
file needs torch only; Triton is imported when one of them runs.
"""

import math
from functools import cache
from importlib.util import find_spec
from typing import Any, Callable, NamedTuple, Optional

import torch
from torch import Tensor

from .band import transpose_band

_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def is_available(x: Tensor) -> bool:
    """Whether the kernels take a tensor of this dtype on this device."""
    return x.is_cuda and x.dtype in _DTYPES and _runs_on(x.device)


@cache
def _runs_on(device: torch.device) -> bool:
    return (
        hasattr(torch.library, 'custom_op')  # torch 2.4
        and find_spec('triton') is not None
        # False where a fake tensor only claims to be on a GPU.
        and torch.cuda.is_available()
        # The first GPUs with bfloat16, and the oldest that Triton supports.
        and torch.cuda.get_device_capability(device) >= (8, 0)
    )


def _mix_frames(frames: Tensor, weights: Tensor) -> Tensor:
    """Mix the frames of each clip with a band of weights.

    ``mixed[n, t, c] = sum_k weights[n, k, t, c] * frames[n, t + k - K // 2, c]``, where
    frames outside the clip count as zero. Narrow dtypes are summed in float32.

    Shape:
        - frames: (n, t, c, h, w)
        - weights: (n, k, t, c), k odd
        - output: (n, t, c, h, w), with the dtype and memory format of ``frames``
    """
    _check_mix(frames, weights)
    frames = _readable(frames)
    mixed = _new_like(frames)
    if _layout(frames).channels_last and weights.stride(3) > 1:
        weights = weights.contiguous()  # to be read by vector loads
    plan = _plan((frames,), num_warps=4)
    if mixed.numel():
        from .temporal_mix_kernels import mix_kernel

        with torch.cuda.device_of(frames):
            mix_kernel[plan.grid](
                *(mixed, frames, weights),
                *(*plan.strides, *weights.stride()),
                *(*plan.sizes, frames.size(1), weights.size(1)),
                **plan.constants,
            )
    return mixed


def _correlate_frames(left: Tensor, right: Tensor, num_weights: int) -> Tensor:
    """Multiply two clips' frames pairwise, up to ``num_weights // 2`` apart.

    ``out[n, k, t, c]`` is the inner product of ``left[n, t, c]`` and
    ``right[n, t + k - K // 2, c]``, zero where the latter is outside the clip. Sums
    are taken in float32 where the dtype is narrower, and in a fixed order.

    Shape:
        - left, right: (n, t, c, h, w)
        - output: (n, num_weights, t, c), num_weights odd, with the dtype of the inputs
    """
    _check_correlate(left, right, num_weights)
    left, right = _readable(left), _readable(right)
    channels_last = _layout(right).channels_last
    if _layout(left).channels_last != channels_last:
        left = _new_like(right).copy_(left)
    # In channels-last, loads of 4 bytes let a warp fill a cache line with channels, so
    # that each thread sums over pixels by itself; wider ones would mix threads.
    plan = _plan((left, right), num_warps=8, load_bytes=4 if channels_last else 16)
    # Every tile of pixels gives a part of the sum.
    n, t, c = left.shape[:3]
    parts = plan.blocks[0] if channels_last else plan.blocks[1]
    dtype = left.dtype if parts == 1 else torch.promote_types(left.dtype, torch.float32)
    out = left.new_empty((parts, n, num_weights, t, c), dtype=dtype)
    if left.numel():
        from .temporal_mix_kernels import correlate_kernel

        with torch.cuda.device_of(left):
            correlate_kernel[plan.grid](
                *(out, left, right, *plan.strides, n, *plan.sizes, t, num_weights),
                **plan.constants,
            )
    return out[0] if parts == 1 else out.sum(0).to(left.dtype)


def _check_mix(frames: Tensor, weights: Tensor) -> None:
    n, t, c = frames.shape[:3]
    if weights.shape != (n, weights.size(1), t, c) or weights.size(1) % 2 == 0:
        raise ValueError(
            f'mix_frames expects weights (n, k, t, c) with an odd k for frames of '
            f'shape {tuple(frames.shape)}, got {tuple(weights.shape)}'
        )
    if weights.dtype != frames.dtype:
        raise TypeError(
            f'mix_frames expects one dtype, got {frames.dtype} and {weights.dtype}'
        )


def _check_correlate(left: Tensor, right: Tensor, num_weights: int) -> None:
    if left.shape != right.shape or num_weights % 2 == 0:
        raise ValueError(
            f'correlate_frames expects two equal shapes and an odd number of weights, '
            f'got {tuple(left.shape)}, {tuple(right.shape)} and {num_weights}'
        )
    if left.dtype != right.dtype:
        raise TypeError(
            f'correlate_frames expects one dtype, got {left.dtype} and {right.dtype}'
        )


# -------------------------------------------------------------- layout


class _Layout(NamedTuple):
    """How frames are seen as matrices with dense rows.

    These are channels x pixels, or pixels x channels if ``channels_last``.
    """

    channels_last: bool
    row_stride: int


def _layout(frames: Tensor) -> Optional[_Layout]:
    """Return the layout of frames (n, t, c, h, w), or None if it is another."""
    h, w = frames.shape[3:]
    stride_c, stride_h, stride_w = frames.stride()[2:]
    if h > 1 and w > 1 and stride_h != w * stride_w:
        return None
    pixel_stride = stride_w if w > 1 or h == 1 else stride_h
    if pixel_stride == 1:
        return _Layout(False, stride_c)
    return _Layout(True, pixel_stride) if stride_c == 1 else None


def is_channels_last(frames: Tensor) -> bool:
    """Whether the kernels read frames (n, t, c, h, w) as pixels x channels."""
    layout = _layout(frames)
    return layout is not None and layout.channels_last


def _readable(frames: Tensor) -> Tensor:
    """Copy frames unless the kernels can read them where they are."""
    return frames.contiguous() if _layout(frames) is None else frames


def _new_like(frames: Tensor) -> Tensor:
    """Return new memory for as many frames, dense and in the same layout."""
    layout = _layout(frames)
    if layout is None or not layout.channels_last:
        return frames.new_empty(frames.shape)
    n, t, c, h, w = frames.shape
    return frames.new_empty((n, t, h, w, c)).permute(0, 1, 4, 2, 3)


class _Plan(NamedTuple):
    """How a kernel is started. A unit is a run of values that one load may read."""

    grid: tuple
    blocks: tuple  # along rows and columns
    sizes: tuple  # rows, and columns in units
    strides: list  # clip, frame and row of each tensor, in units
    constants: dict


def _plan(tensors: tuple, *, num_warps: int, load_bytes: int = 16) -> _Plan:
    """Cut the matrices of all frames into tiles, one for each program.

    The rules follow from how GPUs read memory; nothing was tuned. Of a tile every
    thread has 16 bytes. A warp reads up to 512 bytes of a row in sequence, but only
    128, a cache line, where rows are channels: small feature maps would otherwise be
    cut into few programs.
    """
    n, _, c, h, w = tensors[0].shape
    itemsize = tensors[0].element_size()
    channels_last = _layout(tensors[0]).channels_last
    rows, columns = (h * w, c) if channels_last else (c, h * w)
    strides = [
        stride
        for tensor in tensors
        for stride in (*tensor.stride()[:2], _layout(tensor).row_stride)
    ]
    unit = math.gcd(max(1, load_bytes // itemsize), columns, *strides)
    line = (128 if channels_last else 512) // itemsize
    block_columns = min(_power_of_two(columns), line)
    tile = 32 * num_warps * 16 // itemsize
    block_rows = min(_power_of_two(rows), tile // block_columns)
    blocks = -(-rows // block_rows), -(-columns // block_columns)
    return _Plan(
        grid=(n * blocks[0] * blocks[1],),
        blocks=blocks,
        sizes=(rows, columns // unit),
        strides=[stride // unit for stride in strides],
        constants=dict(
            CHANNELS_LAST=channels_last,
            UNIT=unit,
            BLOCK_ROWS=block_rows,
            BLOCK_COLUMNS=block_columns,
            num_warps=num_warps,
            enable_fp_fusion=True,
        ),
    )


def _power_of_two(size: int) -> int:
    """Round up to a power of two."""
    return 1 << max(0, size - 1).bit_length()


# -------------------------------------------------------- registration


def _keep_mix(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate_mix(ctx: Any, grad: Tensor) -> tuple:
    frames, weights = ctx.saved_tensors
    ops = torch.ops.mmtemporal
    return (
        ops.mix_frames(grad, transpose_band(weights))
        if ctx.needs_input_grad[0]
        else None,
        ops.correlate_frames(grad, frames, weights.size(1))
        if ctx.needs_input_grad[1]
        else None,
    )


def _keep_correlate(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:2])


def _differentiate_correlate(ctx: Any, grad: Tensor) -> tuple:
    left, right = ctx.saved_tensors
    mix = torch.ops.mmtemporal.mix_frames
    return (
        mix(right, grad) if ctx.needs_input_grad[0] else None,
        mix(left, transpose_band(grad)) if ctx.needs_input_grad[1] else None,
        None,
    )


def _fake_mix(frames: Tensor, weights: Tensor) -> Tensor:
    _check_mix(frames, weights)
    return _new_like(frames)


def _fake_correlate(left: Tensor, right: Tensor, num_weights: int) -> Tensor:
    _check_correlate(left, right, num_weights)
    n, t, c = left.shape[:3]
    return left.new_empty((n, num_weights, t, c))


def _register(
    name: str,
    function: Callable,
    fake: Callable,
    setup_context: Callable,
    backward: Callable,
) -> None:
    op = torch.library.custom_op(f'mmtemporal::{name}', function, mutates_args=())
    op.register_fake(fake)
    op.register_autograd(backward, setup_context=setup_context)


if hasattr(torch.library, 'custom_op'):
    _register('mix_frames', _mix_frames, _fake_mix, _keep_mix, _differentiate_mix)
    _register(
        'correlate_frames',
        _correlate_frames,
        _fake_correlate,
        _keep_correlate,
        _differentiate_correlate,
    )
