"""Networks. The registry imports this when the first of them is built."""

from mmtemporal.compat import cast_half_scores

from .backbones import (
    TDN,
    TIN,
    TAda2D,
    TAdaConvNeXt,
    TAdaConvNeXtV2,
    TAdaFormer,
    TANet,
    TemporalAdapter,
    TemporalResNet,
)
from .frame_counts import watch_recognizers
from .fusion import fuse_for_inference
from .heads import SegmentHead, TAdaHead, TAMHead, TDNHead, TINHead

cast_half_scores()
watch_recognizers()

__all__ = [
    'TDN',
    'TIN',
    'SegmentHead',
    'TAMHead',
    'TANet',
    'TAda2D',
    'TAdaConvNeXt',
    'TAdaConvNeXtV2',
    'TAdaFormer',
    'TAdaHead',
    'TDNHead',
    'TINHead',
    'TemporalAdapter',
    'TemporalResNet',
    'fuse_for_inference',
]
