"""Kernels for colours where a network sees other channels."""

from collections.abc import Mapping, Sequence

from torch import Tensor

_COLOURS = 3


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


def repeat_stems(
    stems: Sequence[str], own: Mapping[str, Tensor], tensors: dict[str, Tensor]
) -> list[str]:
    """Average the stems in a backbone's own checkpoint, in place.

    Args:
        stems: Their names; the first takes one frame, that of differences several.
        own: The tensors of the backbone.
        tensors: Those of the checkpoint.

    Returns:
        The names of those that were averaged.
    """
    averaged = []
    for stem in own.keys() & tensors.keys() & {*stems}:
        frames = own[stem].size(1) // own[stems[0]].size(1)
        old, tensors[stem] = (
            tensors[stem],
            repeat_colours(tensors[stem], own[stem], frames),
        )
        if tensors[stem] is not old:
            averaged.append(stem)
    return averaged
