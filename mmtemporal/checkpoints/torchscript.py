"""Read the tensors of a TorchScript archive, and run no code in it.

Such an archive is a zip file with a program, a pickle ``data.pkl`` of the modules, and
the numbers of each tensor in a file of its own. torch reads it with the program only.
OpenAI's CLIPs are published so.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor

# Only these archives have it; torch, too, knows them by it.
_CONSTANTS = '/constants.pkl'
_DTYPES = {
    'DoubleStorage': torch.float64,
    'FloatStorage': torch.float32,
    'HalfStorage': torch.float16,
    'BFloat16Storage': torch.bfloat16,
    'LongStorage': torch.int64,
    'IntStorage': torch.int32,
    'ShortStorage': torch.int16,
    'CharStorage': torch.int8,
    'ByteStorage': torch.uint8,
    'BoolStorage': torch.bool,
}


class _RefusedError(Exception):
    """A pickle refers to what it may not; the text is its name."""


class _Module:
    """What takes the place of every class that an archive defines."""

    attributes: dict = {}

    def __setstate__(self, state: dict) -> None:
        self.attributes = dict(state)


def _rebuild_tensor(
    storage: Tensor, offset: int, size: tuple, stride: tuple, *_: object
) -> Tensor:
    # Raises an error where that leaves the storage.
    return storage.as_strided(size, stride, offset)


def _keep(value: object, *_: object) -> object:
    """Take the place of what only says of which type a value is."""
    return value


# All that a pickle may refer to beside classes of the archive.
_ALLOWED: dict[str, Any] = {
    'torch._utils._rebuild_tensor_v2': _rebuild_tensor,
    'collections.OrderedDict': OrderedDict,
    'torch.device': _keep,
    'torch.jit._pickle.restore_type_tag': _keep,
    'torch.jit._pickle.build_boollist': _keep,
    'torch.jit._pickle.build_doublelist': _keep,
    'torch.jit._pickle.build_intlist': _keep,
    'torch.jit._pickle.build_tensorlist': _keep,
    **{f'torch.{name}': dtype for name, dtype in _DTYPES.items()},
}


class _Reader(pickle.Unpickler):
    """Read the modules of an archive, which may refer to :data:`_ALLOWED` alone."""

    def __init__(self, archive: ZipFile, folder: str) -> None:
        super().__init__(io.BytesIO(archive.read(f'{folder}/data.pkl')))
        self.archive = archive
        self.folder = folder
        self.storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.partition('.')[0] == '__torch__':
            return _Module
        found = _ALLOWED.get(f'{module}.{name}')
        if found is None:
            raise _RefusedError(f'{module}.{name}')
        return found

    def persistent_load(self, key: tuple) -> Tensor:
        _, dtype, name, _, _ = key  # the device is of no interest
        if name not in self.storages:
            storage = torch.empty(0, dtype=dtype)
            content = self.archive.read(f'{self.folder}/data/{name}')
            if content:  # a copy can be written to
                storage = torch.frombuffer(bytearray(content), dtype=dtype)
            self.storages[name] = storage
        return self.storages[name]


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive."""
    try:
        with ZipFile(path) as archive:
            return any(name.endswith(_CONSTANTS) for name in archive.namelist())
    except (BadZipFile, NotImplementedError, ValueError):
        return False  # torch says what is wrong with it


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a TorchScript archive by the names of its state dict.

    Its program is not read, and classes that it defines are containers here.

    Args:
        path: The file.

    Returns:
        The tensors on the CPU, also those that are mere attributes of modules.

    Raises:
        ValueError: The archive is damaged, or refers to anything but tensors, plain
            containers and its own classes.
    """
    # Damaged and malicious files make libraries raise errors of any type.
    try:
        with ZipFile(path) as archive:
            (constants,) = (n for n in archive.namelist() if n.endswith(_CONSTANTS))
            module = _Reader(archive, constants.removesuffix(_CONSTANTS)).load()
        return dict(_find_tensors(module))
    except _RefusedError as error:
        raise ValueError(
            f'{path} is a TorchScript archive that is not only tensors, plain '
            f'containers and modules: it refers to {error}. Its code is never run; if '
            'you trust whoever made it, load it by torch.jit.load and save its '
            'state_dict() by torch.save'
        ) from error
    except Exception as error:
        raise ValueError(
            f'{path} is a damaged TorchScript archive: {error!r}'
        ) from error


def _find_tensors(module: _Module, prefix: str = '') -> Iterator[tuple[str, Tensor]]:
    for name, value in module.attributes.items():
        if isinstance(value, Tensor):
            yield f'{prefix}{name}', value
        elif isinstance(value, _Module):
            yield from _find_tensors(value, f'{prefix}{name}.')
