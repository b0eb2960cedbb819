"""Backbones: where a temporal layer sits in which network."""

from .tanet import TANet
from .temporal_resnet import TemporalResNet
from .tin import TIN

__all__ = ['TANet', 'TIN', 'TemporalResNet']
