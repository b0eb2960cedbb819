"""Whether the GPU kernels give, on this machine, what the plain form gives."""

import math
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Optional

import torch
from torch import Tensor

from .band import transpose_band
from .mix_reference import mix_reference
from .temporal_mix_triton import is_available, is_channels_last

# Of the largest value. Sums are taken in float32 at least, and rounded once.
_TOLERANCES = {
    torch.float64: 1e-12,
    torch.float32: 1e-5,
    torch.float16: 4e-3,
    torch.bfloat16: 3e-2,
}
# Clips, frames, channels, height, width: several tiles in either layout, none full.
_SHAPE = (2, 3, 40, 3, 7)
_NUM_WEIGHTS = 3
_NAMES = ('output', 'gradient of the frames', 'gradient of the weights')
_results: dict[tuple, Optional[str]] = {}


def has_kernels(x: Tensor) -> bool:
    """Whether frames (n, t, c, h, w) are to be mixed by the kernels.

    Before their first use on a device, with a dtype and in a memory format, they mix a
    small problem and differentiate it. If they cannot be compiled there, or give
    something else than the plain form, one warning says so and they are not used.
    """
    if not is_available(x):
        return False
    case = (x.device, x.dtype, is_channels_last(x))
    if case not in _results:
        # A graph that is captured could not be with what the check reads back.
        if x.device.type == 'cuda' and torch.cuda.is_current_stream_capturing():
            return False
        # A thread has none of the modes that the caller may have entered: fake
        # tensors, autocast, inference.
        with ThreadPoolExecutor(1) as thread:
            _results[case] = thread.submit(find_fault, *case).result()
        if _results[case]:
            warnings.warn(
                f'the GPU kernels of temporal mixing are not used for {x.dtype}, '
                f'{"channels last" if case[2] else "contiguous"}, on {x.device}: '
                f'{_results[case]}. The plain form is used, which is slower and right. '
                'Please report it with what "python -m mmtemporal.tools doctor" prints',
                RuntimeWarning,
                stacklevel=2,
            )
    return _results[case] is None


def find_fault(
    device: torch.device, dtype: torch.dtype, channels_last: bool
) -> Optional[str]:
    """Return what is wrong with the kernels for such frames, None if nothing is."""
    try:
        found = _run(*_make_problem(device, dtype, channels_last))
    except Exception as error:  # compilers raise many kinds
        reason = ' '.join(str(error).split())[:200]
        return f'{type(error).__name__}: {reason}'
    expected = _differentiate(*_make_problem(device, dtype, channels_last))
    for name, ours, right in zip(_NAMES, found, expected):
        distance = (ours.double() - right).abs().max().item()
        limit = _TOLERANCES[dtype] * right.abs().max().item()
        if not distance <= limit:  # also if it is not a number
            return f'the {name} differs by {distance:.2g}, expected {limit:.2g} at most'
    return None


def _make_problem(
    device: torch.device, dtype: torch.dtype, channels_last: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return frames, weights and the gradient of the output, without random numbers."""
    n, t, c, h, w = _SHAPE
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    frames, grad = (
        _waves((n * t, c, h, w), step, device, dtype)
        .contiguous(memory_format=memory_format)
        .unflatten(0, (n, t))
        for step in (0.7, 1.1)
    )
    return frames, _waves((n, _NUM_WEIGHTS, t, c), 1.3, device, dtype), grad


def _waves(
    shape: tuple, step: float, device: torch.device, dtype: torch.dtype
) -> Tensor:
    values = torch.arange(math.prod(shape), dtype=torch.float64) * step
    return values.sin().view(shape).to(device, dtype)


def _run(frames: Tensor, weights: Tensor, grad: Tensor) -> tuple:
    """Return output and gradients by the kernels."""
    ops = torch.ops.mmtemporal
    return (
        ops.mix_frames(frames, weights),
        ops.mix_frames(grad, transpose_band(weights)),
        ops.correlate_frames(grad, frames, weights.size(1)),
    )


def _differentiate(frames: Tensor, weights: Tensor, grad: Tensor) -> tuple:
    """Return output and gradients by the plain form, in float64."""
    inputs = [x.double().requires_grad_() for x in (frames, weights)]
    with torch.enable_grad():
        mixed = mix_reference(*inputs)
    return mixed.detach(), *torch.autograd.grad(mixed, inputs, grad.double())
