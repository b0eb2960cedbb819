"""Let mmengine load the authors' checkpoints as they are."""

from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Union

from mmengine.logging import print_log

from mmtemporal.compat.on_import import change_module

from .convert import convert, find_tensors, recognise

_LOADERS = 'mmengine.runner.checkpoint'


def accept_third_party_files() -> None:
    """Convert the authors' checkpoints, and no others, whenever mmengine reads one.

    So ``load_from``, ``init_cfg``, ``pretrained``, ``test.py`` and inference take
    files and URLs of the authors' releases. Two loaders of mmengine are replaced by
    ones that call them, by the means that mmengine has for it. This waits for the
    import of its runner, which is slow and needs OpenCV. A second call changes
    nothing.
    """
    change_module(_LOADERS, _replace_loaders)


def _replace_loaders(module: ModuleType) -> None:
    for prefixes, load in (
        ('', module.load_from_local),
        (('http://', 'https://'), module.load_from_http),
    ):
        module.CheckpointLoader.register_scheme(prefixes, _converting(load), force=True)


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
