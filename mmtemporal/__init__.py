"""Temporal modelling for MMAction2: TAM, TIN, TDN and TAda.

Importing the package applies the fixes of :mod:`mmtemporal.compat` and adds the
``mmtemporal`` scope to the registries. It does not import ``mmaction.models``, so
that a config can list it under ``custom_imports`` ahead of everything else.
"""

from . import compat, registry
from .version import __version__

__all__ = ['__version__', 'compat', 'registry']

compat.apply()
