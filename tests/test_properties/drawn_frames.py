"""Frames of all sizes and strides, for the tests of ops and layers."""

import torch
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**16)


def _of_channels(shape, dtype):
    return torch.randn(shape[0], 2 * shape[1], *shape[2:], dtype=dtype)[:, : shape[1]]


def _of_pixels(shape, dtype):
    n, c, h, w = shape
    return torch.randn(n, c, 2 * h, w + 1, dtype=dtype)[:, :, ::2, 1:]


def _of_rows(shape, dtype):
    return torch.randn(2 * shape[0], *shape[1:], dtype=dtype)[::2]


def _transposed(shape, dtype):
    n, c, h, w = shape
    return torch.randn(w, h, c, n, dtype=dtype).permute(3, 2, 1, 0)


def _channels_last(shape, dtype):
    x = torch.randn(shape, dtype=dtype)
    return x.contiguous(memory_format=torch.channels_last)


def _same_in_channels(shape, dtype):
    return torch.randn(shape[0], 1, *shape[2:], dtype=dtype).expand(shape)


def _same_in_frames(shape, dtype):
    return torch.randn(1, *shape[1:], dtype=dtype).expand(shape)


def _same_in_pixels(shape, dtype):
    return torch.randn(*shape[:2], 1, 1, dtype=dtype).expand(shape)


# What the strides can be. Those of expanded tensors are zero.
LAYOUTS = (
    lambda shape, dtype: torch.randn(shape, dtype=dtype),
    _channels_last,
    _of_channels,
    _of_pixels,
    _of_rows,
    _transposed,
    _same_in_channels,
    _same_in_frames,
    _same_in_pixels,
)


def sizes(**bounds):
    """Draw n, t, c, h, w; a size is between 1 and the bound that is given."""
    return st.tuples(*(st.integers(1, bounds[size]) for size in 'ntchw'))


def make_frames(shape, layout, dtype=torch.float64):
    """Make frames (n * t, c, h, w)."""
    n, t, c, h, w = shape
    return layout((n * t, c, h, w), dtype)
