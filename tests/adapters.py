"""Small networks with temporal layers inside, for the tests of the adapter."""

from copy import deepcopy

import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

T = 4
RESNET = dict(
    type='ResNet',
    depth=18,
    num_stages=2,
    strides=(1, 2),
    dilations=(1, 1),
    out_indices=(1,),
)
RESNET18 = dict(type='ResNet', depth=18)
RESNET50 = dict(type='ResNet', depth=50)
MOBILENET = dict(type='MobileNetV2')
TDN = [dict(type='LongTermTDM'), dict(type='TemporalShift')]
TSM = dict(type='TemporalShift', learnable=False)
TINY = dict(
    num_blocks=[1, 2, 2, 1],
    width_factor=[0.5] * 4,
    num_conv_branches=[2] * 4,
    num_se_blocks=[0, 0, 1, 1],
)


def build(cfg):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(deepcopy(cfg))


def adapter(backbone=RESNET, temporal='TAM', num_segments=T, **changes):
    """Build an adapter; a layer is its config, or just its type."""
    return build(
        dict(
            type='mmtemporal.TemporalAdapter',
            backbone=backbone,
            temporal=dict(type=temporal) if isinstance(temporal, str) else temporal,
            num_segments=num_segments,
            **changes,
        )
    )


def frames(clips=2, size=32, dtype=torch.float64):
    return torch.randn(clips * T, 3, size, size, dtype=dtype)


def temporal_state(model):
    """Return the tensors of the temporal layers, by name."""
    layers = tuple(f'{name}.' for name in model.temporal_layers())
    return {k: v.clone() for k, v in model.state_dict().items() if k.startswith(layers)}


def shake(model):
    """Move all weights a little, and let one batch set the batch norms."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter), alpha=0.05)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = None


class Padded(nn.Conv2d):
    """A convolution that is more than one."""


class Odd(nn.Module):
    """Modules that no temporal layer, or not every one, fits."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3, padding=1)
        self.circular = nn.Conv2d(32, 32, 3, padding=1, padding_mode='circular')
        self.padded = Padded(32, 32, 3, padding=1)
        self.relu = nn.ReLU()
        self.never = nn.Conv2d(32, 32, 1)
        self.empty = nn.Sequential()
        self.norm = nn.LayerNorm(32)
        self.whole_clip = nn.Linear(32, 32)
        self.pair = nn.MaxPool2d(2, return_indices=True)

    def forward(self, x):
        x = self.relu(self.circular(self.relu(self.first(x))))
        x, _ = self.pair(self.padded(x))
        x = self.norm(x.flatten(2).transpose(1, 2))  # tokens
        return self.whole_clip(x.flatten(0, 1))
