"""Let mmengine load third-party checkpoints as they are."""

import os
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Optional, Union
from urllib.parse import urlparse

import torch
from mmengine.logging import print_log

from mmtemporal.compat.on_import import change_module

from .convert import convert, find_tensors, recognise
from .files import check_file, read_tensors

_LOADERS = 'mmengine.runner.checkpoint'


def accept_third_party_files() -> None:
    """Convert the authors' checkpoints, and no others, whenever mmengine reads one.

    So ``load_from``, ``init_cfg``, ``pretrained``, ``test.py`` and inference take
    files and URLs of the authors' releases, and of tensors alone: TorchScript archives,
    no code of which is run, and ``.safetensors``. Two loaders of mmengine are replaced
    by ones that call them, by the means that mmengine has for it, and its function for
    downloads. This waits for the import of its runner, which is slow and needs OpenCV.
    A second call changes nothing.
    """
    change_module(_LOADERS, _replace_loaders)


def _replace_loaders(module: ModuleType) -> None:
    # That of torch.hub would hand a TorchScript archive to torch.jit.load.
    module.load_url = _reading_downloads(module.load_url)  # type: ignore[attr-defined]
    for prefixes, load in (
        ('', _reading(module.load_from_local)),
        (('http://', 'https://'), module.load_from_http),
    ):
        module.CheckpointLoader.register_scheme(prefixes, _converting(load), force=True)


def _reading(load: Callable) -> Callable:
    @wraps(load)
    def read_or_load(filename: str, *args: Any, **kwargs: Any) -> object:
        path = Path(filename).expanduser()
        if path.exists():
            check_file(path)
        tensors = read_tensors(path)
        return load(filename, *args, **kwargs) if tensors is None else tensors

    return read_or_load


def _reading_downloads(load_url: Callable) -> Callable:
    @wraps(load_url)
    def read_or_load_url(
        url: str, model_dir: Optional[str] = None, progress: bool = True, **kwargs: Any
    ) -> object:
        # Where torch.hub stores it, and looks for it the next time.
        folder = Path(model_dir or os.path.join(torch.hub.get_dir(), 'checkpoints'))
        file = folder / os.path.basename(urlparse(url).path)
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            print_log(f'Downloading {url} to {file}', logger='current')
            torch.hub.download_url_to_file(url, str(file), progress=progress)
        tensors = read_tensors(file)
        if tensors is not None:
            return tensors
        return load_url(url, model_dir=model_dir, progress=progress, **kwargs)

    return read_or_load_url


def _converting(load: Callable) -> Callable:
    @wraps(load)
    def load_and_convert(filename: str, *args: Any, **kwargs: Any) -> object:
        return convert_if_third_party(load(filename, *args, **kwargs), filename)

    return load_and_convert


def convert_if_third_party(checkpoint: Any, filename: Union[str, Path]) -> Any:
    """Return a checkpoint in our names if it is of the authors, else as it is.

    Raises:
        ValueError: It is of the authors, but not whole.
    """
    try:
        kind = recognise(find_tensors(checkpoint))
    except ValueError:
        return checkpoint
    if 'authors' not in kind.sources:
        return checkpoint
    try:
        conversion = convert(checkpoint)
    except ValueError as error:
        raise ValueError(f'{filename}: {error}') from None
    print_log(f'{filename}, {kind.name}: {conversion.report}', logger='current')
    return dict(state_dict=conversion.tensors, meta={})
