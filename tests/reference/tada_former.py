"""The temporal block of TAdaFormer as the paper writes it: a kernel a frame."""

import torch
import torch.nn.functional as F

from mmtemporal.models.layers.tada_block import TemporalLinear


def run_block(self, x):
    """TAda block: on clips of feature maps, with a kernel for every frame.

    Tokens are copied to (n, c, t, h, w) and back. One convolution has a group for every
    channel of every frame, whose kernels are kept for the backward pass. The frames
    are pooled and normalised a second time by themselves. In form S both linear layers
    are convolutions of clips.
    """
    t, (h, w) = x.size(1), x.shape[2:4]
    first, second = self.proj_in, self.proj_out
    is_temporal = isinstance(first, TemporalLinear)
    if is_temporal:
        weight = first.weight[..., None, None]
        x = F.conv3d(x.permute(0, 4, 1, 2, 3), weight, first.bias, padding=(1, 0, 0))
    else:
        x = first(x).permute(0, 4, 1, 2, 3)
    alpha, beta = self.routing(x.mean((3, 4)).transpose(1, 2))
    # (n, t, m) x (m, 1, 3, 3) -> (n * t * m, 1, 3, 3)
    kernels = (alpha[..., None, None, None] * self.conv.weight).flatten(0, 2)
    biases = (beta * self.conv.bias).flatten()
    frames = _to_frames(x)
    y = F.conv2d(
        frames.reshape(1, -1, h, w), kernels, biases, padding=1, groups=len(kernels)
    ).view(frames.shape)
    clips = y.unflatten(0, (-1, t)).transpose(1, 2)
    pooled = F.avg_pool3d(clips, (3, 1, 1), 1, (1, 0, 0))
    z = self.bn(y) + self.bn_avg(_to_frames(pooled))
    z = (z * torch.sigmoid(1.702 * z)).unflatten(0, (-1, t)).transpose(1, 2)
    if is_temporal:
        z = F.conv3d(z, second.weight[..., None, None, None], second.bias)
        return z.permute(0, 2, 3, 4, 1)
    return second(z.permute(0, 2, 3, 4, 1))


def _to_frames(x):
    """Copy (n, c, t, h, w) to (n * t, c, h, w)."""
    return x.transpose(1, 2).flatten(0, 1)


def relate_frames(self, block, x, grid):
    """A layer: adds zeros to the class tokens, which are put in front of the patches.

    All tokens are added, and not those of the patches alone.
    """
    change = block(x[:, :, 1:].unflatten(2, tuple(grid))).flatten(2, 3)
    zeros = torch.zeros_like(x[:, :, :1])
    return x + self.drop_path(torch.cat((zeros, change), 2))
