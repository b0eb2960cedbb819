"""Heads: pooling over frames and classification."""

from .segment_head import SegmentHead
from .tada_head import TAdaHead
from .tam_head import TAMHead
from .tdn_head import TDNHead
from .tin_head import TINHead

__all__ = ['SegmentHead', 'TAMHead', 'TAdaHead', 'TDNHead', 'TINHead']
