"""Checkpoints of other code, in the names of this package."""

from .convert import convert_state_dict

__all__ = ['convert_state_dict']
