"""Tensor operations: tensors and sizes in, tensors out. Only torch is imported."""

from .autocast import without_autocast
from .band import fill_band
from .checkpointing import checkpointed
from .clips import split_clips
from .frame_means import frame_means
from .temporal_mix import temporal_mix
from .tracing import is_traced

__all__ = [
    'fill_band',
    'frame_means',
    'is_traced',
    'checkpointed',
    'split_clips',
    'temporal_mix',
    'without_autocast',
]
