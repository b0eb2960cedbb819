"""TAM's aggregation as the paper writes it: gate, then convolve in time."""

import torch.nn.functional as F


def gate_and_convolve(x, kernel, gate):
    """Weights the frames, then convolves every channel with its own kernel.

    Args:
        x: (n * t, c, h, w).
        kernel: (n, c, k).
        gate: (n, c, t).
    """
    n, c, t = gate.shape
    h, w = x.shape[2:]
    gated = x.view(n, t, c, h, w).transpose(1, 2) * gate[..., None, None]
    # One group for every clip and channel: (1, n * c, t, h * w).
    mixed = F.conv2d(
        gated.reshape(1, n * c, t, h * w),
        kernel.reshape(n * c, 1, -1, 1),
        padding=(kernel.size(2) // 2, 0),
        groups=n * c,
    )
    return mixed.view(n, c, t, h, w).transpose(1, 2).reshape(x.shape)
