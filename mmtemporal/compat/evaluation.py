"""Fix for a metric that uses what numpy has removed."""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader
from types import ModuleType

import numpy as np

ACCURACY = 'mmaction.evaluation.functional.accuracy'


class _Numpy(ModuleType):
    """Numpy with the name that it had until 2.4 for ``trapezoid``."""

    def __getattr__(self, name):
        return getattr(np, 'trapezoid' if name == 'trapz' else name)


def _restore(module):
    module.np = _Numpy('numpy')


class _AccuracyLoader(SourceFileLoader):
    def exec_module(self, module):
        super().exec_module(module)
        _restore(module)


class _AccuracyFinder(MetaPathFinder):
    """Find the one module as usual, and have :func:`_restore` called on it."""

    def find_spec(self, fullname, path=None, target=None):
        spec = PathFinder.find_spec(fullname, path) if fullname == ACCURACY else None
        if spec is not None:
            spec.loader = _AccuracyLoader(fullname, spec.origin)
        return spec


def restore_trapz():
    """Let ``ANetMetric`` compute the area under its recall curve.

    Symptom: ``module 'numpy' has no attribute 'trapz'`` when BMN or BSN is
    validated or tested with ``AR@AN``.
    Cause: numpy 2.4 has removed the old name of ``trapezoid``.
    Acts when: numpy has the new name only. Numpy itself is left as it is; only the
    module that asks for the old name sees it, now or when it is imported.
    """
    if hasattr(np, 'trapz') or not hasattr(np, 'trapezoid'):
        return False
    if any(isinstance(finder, _AccuracyFinder) for finder in sys.meta_path):
        return False
    sys.meta_path.insert(0, _AccuracyFinder())
    if ACCURACY in sys.modules:
        _restore(sys.modules[ACCURACY])
    return True
