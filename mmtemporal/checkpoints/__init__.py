"""Checkpoints of other code, in the names of this package."""

from .convert import convert_state_dict
from .on_load import accept_third_party_files

__all__ = ['accept_third_party_files', 'convert_state_dict']
