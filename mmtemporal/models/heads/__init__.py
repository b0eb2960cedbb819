"""Heads: pooling over frames and classification."""

from .segment_head import SegmentHead
from .tam_head import TAMHead
from .tin_head import TINHead

__all__ = ['SegmentHead', 'TAMHead', 'TINHead']
