"""Temporally-adaptive convolution as the papers write it: a kernel a frame."""

import torch
import torch.nn.functional as F


def convolve_frames(x, weight, alpha, calibrate, stride=1, padding=0, groups=1):
    """Convolve every frame with its own kernel.

    Args:
        x: (n, c, t, h, w).
        weight: (o, c / groups, k, k).
        alpha: (n, t, c or o).
    """
    n, _, t = x.shape[:3]
    per_group = x.size(1) // groups
    clips = []
    for i in range(n):
        frames = []
        for j in range(t):
            if calibrate == 'cout':
                kernel = alpha[i, j, :, None, None, None] * weight
            else:
                # The input channels of each output channel's group.
                rows = alpha[i, j].view(groups, 1, per_group)
                rows = rows.expand(-1, weight.size(0) // groups, -1).reshape(
                    weight.size(0), per_group
                )
                kernel = rows[..., None, None] * weight
            frames.append(
                F.conv2d(x[i : i + 1, :, j], kernel, None, stride, padding, 1, groups)
            )
        clips.append(torch.stack(frames, 2))
    return torch.cat(clips)


def convolve_windows(x, weight, alpha, calibrate, stride=1, padding=0):
    """Convolve the window of every output frame with that frame's kernel.

    Args:
        x: (n, c, t, h, w).
        weight: (o, c, k, k', k').
        alpha: (n, t, c or o).
    """
    size = weight.size(2)
    padded = F.pad(x, (0, 0, 0, 0, size // 2, size // 2))
    clips = []
    for i in range(x.size(0)):
        frames = []
        for j in range(x.size(2)):
            scale = alpha[i, j]
            scale = scale[:, None] if calibrate == 'cout' else scale[None]
            kernel = scale[..., None, None, None] * weight
            window = padded[i : i + 1, :, j : j + size]
            frames.append(
                F.conv3d(
                    window, kernel, None, (1, stride, stride), (0, padding, padding)
                )
            )
        clips.append(torch.cat(frames, 2))
    return torch.cat(clips)
