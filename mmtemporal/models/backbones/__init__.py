"""Backbones: where a temporal layer sits in which network."""

from mmtemporal.models.adapter import TemporalAdapter

from .conv_types import build_conv2plus1d, build_tada_conv2d, build_tada_conv3d
from .tada2d import TAda2D
from .tada_convnext import TAdaConvNeXt, TAdaConvNeXtV2
from .tada_former import TAdaFormer
from .tanet import TANet
from .tdn import TDN
from .temporal_resnet import TemporalResNet
from .tin import TIN

__all__ = [
    'TDN',
    'TIN',
    'TANet',
    'TAda2D',
    'TAdaConvNeXt',
    'TAdaConvNeXtV2',
    'TAdaFormer',
    'TemporalAdapter',
    'TemporalResNet',
    'build_conv2plus1d',
    'build_tada_conv2d',
    'build_tada_conv3d',
]
