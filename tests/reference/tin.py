"""TIN's interlacing as the paper writes it: two whole-frame shifts, blended."""

import torch


class Shift(torch.autograd.Function):
    """Move frames by an integer, with zeros coming in.

    Args:
        x: (n, t, c, h, w).
        shift: (n, c) integers; positive moves to later frames.
        direction: The backward pass moves the gradient by ``direction * shift``:
            -1 is the adjoint, 1 the rule of ``mmcv.ops.tin_shift``.
    """

    @staticmethod
    def forward(ctx, x, shift, direction):
        ctx.shift, ctx.direction = shift, direction
        return _move(x, shift)

    @staticmethod
    def backward(ctx, grad):
        return _move(grad, ctx.direction * ctx.shift), None, None


def _move(x, shift):
    n, t, c = x.shape[:3]
    moved = torch.zeros_like(x)
    for clip in range(n):
        for channel in range(c):
            for frame in range(t):
                target = frame + int(shift[clip, channel])
                if 0 <= target < t:
                    moved[clip, target, channel] = x[clip, frame, channel]
    return moved


def interlace(x, num_segments, offset, weight, direction=-1):
    """Move each of ``groups`` equal runs of channels by its offset.

    Args:
        x: (n * t, c, h, w), all of whose channels move.
        offset: (n, groups).
        weight: (n, groups, t), by output frame.
        direction: See :class:`Shift`.
    """
    frames = x.unflatten(0, (-1, num_segments))
    repeats = frames.size(2) // offset.size(1)
    offset = offset.repeat_interleave(repeats, 1)
    weight = weight.repeat_interleave(repeats, 1).transpose(1, 2)[..., None, None]
    whole = offset.detach().floor()
    part = (offset - whole)[:, None, :, None, None]
    blend = (1 - part) * Shift.apply(frames, whole, direction)
    blend = blend + part * Shift.apply(frames, whole + 1, direction)
    return (weight * blend).flatten(0, 1)
