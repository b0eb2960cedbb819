"""Temporal modelling for MMAction2: TAM, TIN, TDN and TAda.

Importing the package applies the fixes of :mod:`mmtemporal.compat`, adds the
``mmtemporal`` scope to the registries and lets mmengine load the authors'
checkpoints. It does not import ``mmaction.models``, so
that a config can list it under ``custom_imports`` ahead of everything else.
"""

from . import checkpoints, compat, registry
from .version import __version__

__all__ = ['__version__', 'checkpoints', 'compat', 'registry']

compat.apply()
checkpoints.accept_foreign_files()
