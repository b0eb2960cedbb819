"""The papers' modules: plain ``nn.Module``, usable in any network."""

from .conv2plus1d import Conv2plus1d
from .on_frames import OnFrames
from .single_frame_conv import SingleFrameConv3d
from .tada_conv import TAdaConv2d, TAdaConv3d
from .tam import TAM
from .tam_ablations import (
    TAM_VARIANTS,
    ExcitationTAM,
    GlobalTAM,
    LocalTAM,
    ReversedTAM,
    TemporalConv,
    TemporalMean,
    find_variant,
)
from .temporal_difference import LongTermTDM, ShortTermTDM, frame_differences
from .temporal_interlace import InterlacedConv, TemporalInterlace
from .temporal_layer import MixingLayer, TemporalLayer
from .temporal_pool import temporal_pool
from .temporal_routing import AttentionRouting, ConvRouting, quick_gelu
from .temporal_shift import TemporalShift

__all__ = [
    'TAM',
    'TAM_VARIANTS',
    'ExcitationTAM',
    'GlobalTAM',
    'LocalTAM',
    'MixingLayer',
    'ReversedTAM',
    'ShortTermTDM',
    'TemporalConv',
    'TemporalLayer',
    'TemporalMean',
    'AttentionRouting',
    'Conv2plus1d',
    'ConvRouting',
    'InterlacedConv',
    'LongTermTDM',
    'OnFrames',
    'SingleFrameConv3d',
    'TAdaConv2d',
    'TAdaConv3d',
    'TemporalInterlace',
    'TemporalShift',
    'find_variant',
    'frame_differences',
    'quick_gelu',
    'temporal_pool',
]
