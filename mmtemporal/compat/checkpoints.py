"""Fixes for loading mmengine checkpoints with the safe loader of torch."""

import functools
from pickle import UnpicklingError
from typing import Any, Callable

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version

from .on_import import change_module

LOADERS = 'mmengine.runner.checkpoint'
# What the objects in a checkpoint refer to, by the name of their class.
METHODS = {
    'HistoryBuffer': ('min', 'max', 'mean', 'current'),
    'OneCycleParamScheduler': ('_annealing_cos', '_annealing_linear'),
}
DTYPES = ('float64', 'float32', 'int64', 'int32', 'uint8', 'bool')


def allow_training_checkpoints() -> bool:
    """Let ``torch.load`` read training checkpoints without leaving its safe mode.

    Symptom: ``UnpicklingError: Weights only load failed`` on ``test.py``,
    ``--resume``, ``load_from`` and inference.
    Cause: torch loads only plain tensors and containers by default since 2.6;
    mmengine checkpoints hold :class:`HistoryBuffer` objects with numpy values, and
    refer to methods of that class and of one-cycle schedulers.
    Acts when: torch is 2.6 or newer. Exactly those objects are allowed; the
    ``getattr`` through which methods are stored reaches nothing else.
    """
    serialization = torch.serialization
    if digit_version(torch.__version__) < digit_version('2.6.0'):
        return False
    if HistoryBuffer in serialization.get_safe_globals():
        return False
    from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

    classes = (HistoryBuffer, OneCycleParamScheduler)

    def get_method(owner: type, name: str) -> Callable:
        if owner not in classes or name not in METHODS[owner.__name__]:
            raise UnpicklingError(
                f'a checkpoint may only refer to {METHODS}, got {name!r} of {owner!r}'
            )
        return getattr(owner, name)

    reconstruct: Any = np.ndarray(0).__reduce__()[0]
    scalar: Any = np.float64(0).__reduce__()[0]
    # numpy 2 renamed the module of both functions; checkpoints exist with either.
    functions = [
        (function, f'numpy.{core}.multiarray.{function.__name__}')
        for function in (reconstruct, scalar)
        for core in ('core', '_core')
    ]
    serialization.add_safe_globals(
        [
            *classes,
            (get_method, 'builtins.getattr'),
            np.ndarray,
            np.dtype,
            *(type(np.dtype(name)) for name in DTYPES),
            *functions,
        ]
    )
    return True


def _read_urls_as_files(module: Any) -> None:
    # None stands for the default of torch.load.
    module.load_url = functools.partial(module.load_url, weights_only=None)


def read_urls_safely() -> bool:
    """Let a checkpoint from a URL be read in torch's safe mode, as one from a file is.

    Symptom: none that shows; ``load_from``, ``init_cfg`` and ``pretrained`` run a
    program that is in the file behind a URL, of ``torchvision://`` too.
    Cause: mmengine reads URLs by a function of ``torch.hub`` that leaves the safe
    mode, unlike ``torch.load`` since 2.6.
    Acts when: torch is 2.6 or newer.
    """
    if digit_version(torch.__version__) < digit_version('2.6.0'):
        return False
    return change_module(LOADERS, _read_urls_as_files)
