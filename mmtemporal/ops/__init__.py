"""Tensor operations: tensors and sizes in, tensors out. Only torch is imported."""

from .autocast import without_autocast
from .recompute import recompute
from .temporal_mix import temporal_mix
from .tracing import is_traced

__all__ = ['is_traced', 'recompute', 'temporal_mix', 'without_autocast']
