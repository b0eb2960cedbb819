"""The papers' modules: plain ``nn.Module``, usable in any network."""

from .tada_conv import TAdaConv2d, TAdaConv3d
from .tam import TAM
from .temporal_difference import LongTermTDM, frame_differences
from .temporal_interlace import InterlacedConv, TemporalInterlace
from .temporal_pool import temporal_pool
from .temporal_routing import AttentionRouting, ConvRouting, quick_gelu
from .temporal_shift import TemporalShift

__all__ = [
    'TAM',
    'AttentionRouting',
    'ConvRouting',
    'InterlacedConv',
    'LongTermTDM',
    'TAdaConv2d',
    'TAdaConv3d',
    'TemporalInterlace',
    'TemporalShift',
    'frame_differences',
    'quick_gelu',
    'temporal_pool',
]
