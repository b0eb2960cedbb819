"""Temporal layers in any other backbone."""

from .temporal_adapter import TemporalAdapter

__all__ = ['TemporalAdapter']
