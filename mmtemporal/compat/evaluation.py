"""Fix for a metric that uses what numpy has removed."""

from types import ModuleType
from typing import Any

import numpy as np

from .on_import import change_module

ACCURACY = 'mmaction.evaluation.functional.accuracy'


class _Numpy(ModuleType):
    """Numpy with the name that it had until 2.4 for ``trapezoid``."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, 'trapezoid' if name == 'trapz' else name)


def _restore(module: Any) -> None:
    module.np = _Numpy('numpy')


def restore_trapz() -> bool:
    """Let ``ANetMetric`` compute the area under its recall curve.

    Symptom: ``module 'numpy' has no attribute 'trapz'`` when BMN or BSN is
    validated or tested with ``AR@AN``.
    Cause: numpy 2.4 has removed the old name of ``trapezoid``.
    Acts when: numpy has the new name only. Numpy itself is left as it is; only the
    module that asks for the old name sees it, now or when it is imported.
    """
    if hasattr(np, 'trapz') or not hasattr(np, 'trapezoid'):
        return False
    return change_module(ACCURACY, _restore)
