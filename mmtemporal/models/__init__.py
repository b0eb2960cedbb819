"""Networks. The registry imports this when the first of them is built."""

from mmtemporal.compat import cast_half_scores

from .backbones import TIN, TANet, TemporalResNet
from .heads import SegmentHead, TAMHead, TINHead

cast_half_scores()

__all__ = ['TIN', 'SegmentHead', 'TAMHead', 'TANet', 'TINHead', 'TemporalResNet']
