"""Tensor operations: tensors and sizes in, tensors out. Only torch is imported."""

from .temporal_mix import temporal_mix

__all__ = ['temporal_mix']
