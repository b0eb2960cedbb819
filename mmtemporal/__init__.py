"""Temporal modelling for MMAction2: TAM, TIN, TDN and TAda.

Importing the package applies the fixes of :mod:`mmtemporal.compat`, adds the
``mmtemporal`` scope to the registries and lets mmengine load the authors'
checkpoints. It does not import ``mmaction.models``, so
that a config can list it under ``custom_imports`` ahead of everything else.
"""

from importlib.util import find_spec

from .version import __version__

for _name in ('mmengine', 'mmcv', 'mmaction'):
    if find_spec(_name) is None:
        raise ImportError(
            f'mmtemporal needs mmengine, mmcv and mmaction2, and {_name} is not '
            'installed. The first two exist in several builds, so choose: '
            'pip install "mmtemporal[lite]", or "mmtemporal[full]" for mmcv with its '
            'compiled operators; in the folder of the sources ".[lite]" or ".[full]".'
        )

from . import checkpoints, compat, registry  # noqa: E402

__all__ = ['__version__', 'checkpoints', 'compat', 'registry']

compat.apply()
checkpoints.accept_third_party_files()
