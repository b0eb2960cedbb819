"""Reading ImageNet checkpoints, and saying what was done with them."""

from collections.abc import Sequence
from pickle import UnpicklingError

from mmengine.runner import CheckpointLoader


def read_pretrained(path: str) -> dict:
    """Reads the checkpoint that ``backbone.pretrained`` names.

    Raises:
        ValueError: It cannot be read.
    """
    if not isinstance(path, str):
        raise ValueError(
            f'backbone.pretrained must be the name of a file or a URL, got {path!r}'
        )
    try:
        return CheckpointLoader.load_checkpoint(path, 'cpu')
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        raise ValueError(f'cannot read backbone.pretrained={path}: {error}') from error


def summarise(names: Sequence[str]) -> str:
    """Says how many names there are and gives the first."""
    shown = ', '.join(names[:3])
    return f'{len(names)} ({shown}{", ..." * (len(names) > 3)})' if names else '0'
