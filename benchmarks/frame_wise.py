"""The image network inside of TAdaFormer, which is what it is compared with."""

from copy import deepcopy
from types import MethodType

import torch.nn.functional as F
from torch import nn


class FrameStem(nn.Module):
    """The stem of CLIP, on every other frame.

    Args:
        conv: The stem of a TAdaFormer, whose kernel for the frame itself it takes.

    Shape:
        - input: (n, 3, t, h, w)
        - output: (n, c, t', h', w'), with t' = ceil(t / 2)
    """

    def __init__(self, conv):
        super().__init__()
        self.weight = nn.Parameter(conv.weight[:, :, 1].detach().clone())

    def forward(self, x):
        x = x[:, :, ::2]
        n = len(x)
        maps = F.conv2d(
            x.transpose(1, 2).flatten(0, 1), self.weight, stride=self.weight.shape[2:]
        )
        return maps.unflatten(0, (n, -1)).transpose(1, 2)


def frame_wise_clip(model):
    """Return a copy of a TAdaFormer without anything temporal: CLIP, frame by frame.

    It sees as many frames as are behind the stem, and averages their class tokens.
    """
    model = deepcopy(model)
    model.conv1 = FrameStem(model.conv1)
    for layer in model.layers:
        layer.tada, layer.tada2 = nn.Identity(), None
        layer._relate_frames = MethodType(lambda self, block, x, grid: x, layer)
    return model
