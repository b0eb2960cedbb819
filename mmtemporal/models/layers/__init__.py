"""The papers' modules: plain ``nn.Module``, usable in any network."""

from .tam import TAM
from .temporal_interlace import InterlacedConv, TemporalInterlace

__all__ = ['TAM', 'InterlacedConv', 'TemporalInterlace']
