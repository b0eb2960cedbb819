"""Small networks of both versions of TAdaConvNeXt."""

import pytest
import torch
from torch import nn

from mmtemporal.models.backbones.tada_convnext import TAdaConvNeXt, TAdaConvNeXtV2

DEPTHS, CHANNELS = (1, 1, 2, 1), (32, 64, 128, 256)
ARCHS = {
    TAdaConvNeXt: dict(depths=DEPTHS, channels=CHANNELS),
    TAdaConvNeXtV2: dict(depths=DEPTHS, channels=CHANNELS, head_dim=16),
}
T = 4
both = pytest.mark.parametrize('network', ARCHS)


def build(network, **options):
    """Build a small network for clips of four frames, its blocks at work."""
    defaults = dict(arch=ARCHS[network], num_segments=T, layer_scale_init_value=1.0)
    return network(**{**defaults, **options})


def randomise(model):
    """Take a network away from its start, where much of it is zero."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model


def clips(n=2, t=T, size=(32, 32), dtype=torch.float64):
    return torch.randn(n, 3, t, *size, dtype=dtype)


def to_frames(x):
    return x.transpose(1, 2).flatten(0, 1)
