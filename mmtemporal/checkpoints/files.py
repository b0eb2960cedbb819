"""Reading files of unknown origin, and writing checkpoints without accidents."""

import os
import re
from pathlib import Path
from typing import Optional

import torch
from torch import Tensor

from .torchscript import is_torchscript, read_torchscript


def read_checkpoint(path: Path, allow_pickle: bool = False) -> object:
    """Read what ``torch.save`` wrote, or a file of tensors alone, on the CPU.

    Only tensors and plain containers are read, and what
    :func:`mmtemporal.compat.allow_training_checkpoints` allows.

    Args:
        path: The file.
        allow_pickle: Whether, if the file holds anything else, the code that it
            names is run. That code can do everything that the user can.

    Raises:
        ValueError: The file cannot be read so.
    """
    check_file(path)
    tensors = read_tensors(path)
    if tensors is not None:
        return tensors
    # Damaged and malicious files make torch raise errors of any type.
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:
        if not allow_pickle:
            raise ValueError(_explain(path, error)) from error
    try:
        return torch.load(path, map_location='cpu', weights_only=False)
    except Exception as error:
        raise ValueError(f'cannot read {path}: {error!r}') from error


def read_tensors(path: Path) -> Optional[dict[str, Tensor]]:
    """Read a file from which torch cannot read tensors alone.

    Args:
        path: The file.

    Returns:
        The tensors of a TorchScript archive or of a ``.safetensors`` file, on the CPU;
        None if it is another file, or none.

    Raises:
        ValueError: It is damaged, refers to more than tensors, or needs a package that
            is not installed.
    """
    if not path.is_file():
        return None
    if path.suffix == '.safetensors':
        return _read_safetensors(path)
    return read_torchscript(path) if is_torchscript(path) else None


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ValueError(
            f'{path} is read by the package safetensors, which is not installed: '
            'pip install safetensors'
        ) from error
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f'{path} is a damaged safetensors file: {error}') from error


def check_file(path: Path) -> None:
    """Raise a ValueError if there is nothing to read."""
    if path.is_dir():
        raise ValueError(f'{path} is no file, but a folder; give the name of a file')
    if not path.is_file():
        raise ValueError(f'{path} is no file')
    if path.stat().st_size == 0:
        raise ValueError(f'{path} is empty')


def _explain(path: Path, error: Exception) -> str:
    """Say why torch refused a file."""
    # What torch tells depends on its version; the first name is always in the error.
    names = re.findall(r'(?:GLOBAL|Unsupported class) ([\w.]+)', str(error))[:1]
    if not names:
        return f'{path} is damaged or no checkpoint of torch'
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path) or names
    except Exception:  # the file or torch is too old
        pass
    return (
        f'{path} is not only tensors: reading it runs {", ".join(names)}. If you '
        'trust whoever made the file as much as a program that you start, add '
        '--allow-pickle'
    )


def check_target(path: Path, overwrite: bool) -> None:
    """Raise a ValueError if a file must not be written."""
    if path.is_dir():
        raise ValueError(f'{path} is a folder; give the name of a file')
    if path.exists() and not overwrite:
        raise ValueError(f'{path} exists; add --force to replace it')


def write_checkpoint(path: Path, checkpoint: dict, overwrite: bool = False) -> None:
    """Write a file as a whole or not at all, and make its folder.

    Args:
        path: The file.
        checkpoint: What it shall hold.
        overwrite: Whether it may replace a file.

    Raises:
        ValueError: There is a file already.
        OSError: The file cannot be written.
    """
    check_target(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, so that the last step is a renaming.
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        with part.open('xb') as file:
            torch.save(checkpoint, file)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
