"""Tensor operations: tensors and sizes in, tensors out. Only torch is imported."""

from .autocast import without_autocast
from .temporal_mix import temporal_mix

__all__ = ['temporal_mix', 'without_autocast']
