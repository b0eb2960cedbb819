"""Fixes for what goes wrong while mmaction2, mmcv and configs are imported."""

import functools
import importlib.metadata
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.util import find_spec, spec_from_loader
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Callable

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.utils import digit_version
from mmengine.utils.dl_utils import misc

DRN_PACKAGE = 'mmaction.models.localizers.drn'
# mmcv of which mmaction2 was run, beyond the bound that it checks.
NEWER_MMCV = ('2.2.0', '2.4.0')


def restore_find_loader() -> bool:
    """Let mmengine look for the compiled part of mmcv on Python 3.14.

    Symptom: ``module 'pkgutil' has no attribute 'find_loader'`` from the runner.
    Cause: mmengine asks by a function that Python 3.14 removed whether the module is
    there, and looks at nothing else in the answer.
    Acts when: the function is missing. The standard library is left as it is.
    """
    if hasattr(misc.pkgutil, 'find_loader'):
        return False
    misc.pkgutil = SimpleNamespace(find_loader=find_spec)
    return True


def alias_importlib_metadata() -> bool:
    """Let the standard library stand in for the ``importlib_metadata`` backport.

    Symptom: ``No module named 'importlib_metadata'`` from ``mmaction.models``.
    Cause: mmaction2 1.2.0 imports the backport without declaring it; the two names
    it uses exist in :mod:`importlib.metadata`.
    Acts when: the backport is not installed.
    """
    if find_spec('importlib_metadata') is not None:
        return False
    sys.modules['importlib_metadata'] = importlib.metadata
    return True


class _NewerMMCVFinder(MetaPathFinder):
    """Find ``mmaction`` as the others do, and run it again if it refuses mmcv."""

    searching = False

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname != 'mmaction' or self.searching:
            return None
        self.searching = True
        try:
            spec: Any = find_spec(fullname)
        finally:
            self.searching = False
        if spec is not None:
            stock = spec.loader.exec_module
            spec.loader.exec_module = functools.partial(_run_with_newer_mmcv, stock)
        return spec


def _run_with_newer_mmcv(run: Callable, module: ModuleType) -> None:
    try:
        run(module)
        return
    except AssertionError as error:
        if not str(error).startswith('MMCV=='):
            raise
        import mmcv

        version = mmcv.__version__
        first, end = map(digit_version, NEWER_MMCV)
        if not first <= digit_version(version) < end:
            raise
    warnings.warn(
        f'mmcv {version} is newer than this mmaction2 allows; the two are imported '
        'together all the same, but were not tested with each other by their authors. '
        'If something fails, install mmcv-lite or mmcv below 2.2.',
        stacklevel=2,
    )
    mmcv.__version__ = '2.1.0'  # the newest that it takes
    try:
        run(module)
    finally:
        mmcv.__version__ = version


def allow_newer_mmcv() -> bool:
    """Let mmaction2 be imported with an mmcv of version 2.2 or 2.3.

    Symptom: ``MMCV==2.2.0 is used but incompatible`` from ``mmaction``.
    Cause: an assertion on the version alone; mmcv-lite 2.2.0 and onedl-mmcv 2.3.6
    train and test.
    Acts when: that assertion fails. Then there is a warning, and mmaction2 is told
    that mmcv is 2.1.0 while it compares the versions.

    Returns:
        Whether the first import of mmaction2 is watched from now on.
    """
    watched = any(isinstance(finder, _NewerMMCVFinder) for finder in sys.meta_path)
    if watched or 'mmaction' in sys.modules:
        return False
    sys.meta_path.insert(0, _NewerMMCVFinder())
    return True


class _DRNFinder(MetaPathFinder, Loader):
    """Provide ``mmaction.models.localizers.drn.drn`` with a placeholder class."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname not in (DRN_PACKAGE, f'{DRN_PACKAGE}.drn'):
            return None
        return spec_from_loader(fullname, self, is_package=fullname == DRN_PACKAGE)

    def exec_module(self, module: Any) -> None:
        if module.__name__ == DRN_PACKAGE:
            return
        from mmaction.registry import MODELS

        # Into mmaction's own registry, as the real file does: a config that asks
        # for DRN then gets the reason instead of a KeyError.
        @MODELS.register_module()
        class DRN:
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                raise ImportError(
                    'DRN is not available: the mmaction2 wheel ships without its '
                    'files. Install mmaction2 from its repository, and torchvision.'
                )

        module.DRN = DRN


def stub_drn() -> bool:
    """Supply the localizer that the mmaction2 wheel imports but does not contain.

    Symptom: ``No module named 'mmaction.models.localizers.drn'`` (wheel), or
    ``No module named 'torchvision'`` (repository checkout), from ``mmaction.models``.
    Cause: the folder has no ``__init__.py`` and is missing from the package; in a
    checkout one of its files needs torchvision.
    Acts when: the files or torchvision are missing. DRN then raises a clear
    ImportError when it is built.
    """
    if any(isinstance(finder, _DRNFinder) for finder in sys.meta_path):
        return False
    mmaction = Path(find_spec('mmaction').origin).parent  # type: ignore[union-attr, arg-type]
    if not (mmaction / 'models/localizers/drn/drn.py').is_file():
        sys.meta_path.append(_DRNFinder())  # last: a real module would win
        return True
    if find_spec('torchvision') is None:
        sys.meta_path.insert(0, _DRNFinder())  # first: the real one cannot load
        return True
    return False


def disable_multimodal_without_timm() -> bool:
    """Keep mmaction2 from importing multi-modal models whose dependency is missing.

    Symptom: ``No module named 'timm'`` from ``mmaction.models``.
    Cause: mmaction2 switches these models on as soon as transformers is installed,
    but they import timm as well.
    Acts when: transformers is recent enough for mmaction2 and timm is missing.
    """
    if find_spec('transformers') is None or find_spec('timm') is not None:
        return False
    from mmaction.utils import dependency

    if not dependency.WITH_MULTIMODAL:
        return False
    dependency.WITH_MULTIMODAL = False
    return True


def add_config_scope() -> bool:
    """Let configs and ``mmengine.hub`` refer to ``mmtemporal::...`` files.

    Symptom: ``mmengine does not support to load mmtemporal config``, and then
    ``KeyError: 'Recognizer2D is not in the mmtemporal::model registry``.
    Cause: mmengine resolves such names for a fixed list of projects only. Its
    lookup also takes the location of the metadata for that of the code, which an
    editable install keeps apart; a name that is a module but no distribution makes
    it look for the code instead. What it finds it builds in the scope of the name,
    while these configs are written in that of mmaction.
    Acts when: mmengine does not know the project. Bases are read before
    ``custom_imports``, so this serves programs that import the package first, such
    as ``python -m mmtemporal.tools``.
    """
    if 'mmtemporal' in MODULE2PACKAGE:
        return False
    MODULE2PACKAGE['mmtemporal'] = 'mmtemporal.version'
    stock = Config._get_cfg_path

    @functools.wraps(stock)
    def get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str]:
        path, scope = stock(cfg_path, filename)
        return path, 'mmaction' if scope == 'mmtemporal' else scope

    Config._get_cfg_path = staticmethod(get_cfg_path)
    return True
