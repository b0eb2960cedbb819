"""timm, torchvision and mmpretrain, for the tests of networks that come from them.

tools/environment.sh installs them into a folder of their own, which is searched only
from the first call of :func:`import_or_skip` on, and not by processes that a test
starts. In the environment itself they would be there for all tests: MMAction2 imports
mmpretrain, and mmengine torchvision, wherever they are installed, and some fixes of
mmtemporal.compat act only where they are not.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import torch

FOLDER = Path(sys.prefix, 'mmtemporal-wrapped-backbones')
BOXES = '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'


def import_or_skip(name: str) -> ModuleType:
    """Import a module of these libraries, or skips the test without them.

    It is for tests and fixtures: at the top of a file it would let the tests of other
    files see the libraries, too.
    """
    library = name.partition('.')[0]
    if find_spec(library) is None:
        folders = map(str, FOLDER.glob('lib*/python*/site-packages'))
        sys.path += [folder for folder in folders if folder not in sys.path]
    for needed in ('torchvision', library):
        if find_spec(needed) is None:
            pytest.skip(f'{needed} is missing, tools/environment.sh would install it')
    _import_torchvision()
    return import_module(name)


@contextmanager
def hidden() -> Iterator[None]:
    """Keep processes that multiprocessing starts from seeing the libraries.

    They get the search path of this one.
    """
    path = sys.path[:]
    sys.path[:] = [folder for folder in path if not Path(folder).is_relative_to(FOLDER)]
    try:
        yield
    finally:
        sys.path[:] = path


def _import_torchvision() -> None:
    """Import torchvision, also one that is built for GPUs beside a torch without.

    PyPI has no other. Its operators cannot be loaded then, yet it describes two of
    them to torch while it is imported. No classifier runs them.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if 'operator torchvision::nms does not exist' not in str(error):
            raise
        for name in [name for name in sys.modules if name.startswith('torchvision.')]:
            del sys.modules[name]
        for operator in ('nms', 'qnms'):
            torch.library.define(f'torchvision::{operator}', BOXES)
        import torchvision  # noqa: F401
