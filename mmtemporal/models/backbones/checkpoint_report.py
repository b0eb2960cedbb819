"""Reading ImageNet checkpoints, and saying what was done with them."""

from collections.abc import Sequence
from pickle import UnpicklingError

from mmengine.runner import CheckpointLoader
from torch import Tensor

_COLOURS = 3


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


def repeat_colours(tensor: Tensor, value: Tensor, frames: int = 1) -> Tensor:
    """Average the kernel of a stem over colours and repeat it for other channels.

    So does TSN for optical flow.

    Args:
        tensor: A tensor of a file, (c, frames * 3, ...).
        value: The tensor of the network, (c, frames * channels, ...).
        frames: Number of frames that the stem takes as channels.

    Returns:
        The kernel in the shape of ``value``; any other tensor as it is.
    """
    if (
        tensor.dim() < 4
        or tensor.dim() != value.dim()
        or tensor.size(1) != frames * _COLOURS
        or value.size(1) == tensor.size(1)
        or tensor[:, 0].shape != value[:, 0].shape
    ):
        return tensor
    mean = tensor.unflatten(1, (frames, _COLOURS)).mean(2)
    return mean.repeat_interleave(value.size(1) // frames, 1)


def summarise(names: Sequence[str]) -> str:
    """Says how many names there are and gives the first."""
    shown = ', '.join(names[:3])
    return f'{len(names)} ({shown}{", ..." * (len(names) > 3)})' if names else '0'
