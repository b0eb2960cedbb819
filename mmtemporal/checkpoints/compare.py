"""How the tensors of a checkpoint differ from those of a network."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor


class Differences(NamedTuple):
    """What keeps a checkpoint from fitting, in torch's words for keys.

    Attributes:
        missing: Names that only the network has.
        unexpected: Names that only the checkpoint has.
        mismatched: Names of tensors of two shapes, with both.
    """

    missing: list[str]
    unexpected: list[str]
    mismatched: list[str]


def compare(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> Differences:
    """Return how the tensors of a checkpoint differ from those of a network.

    Counters of batch norms may be missing, as they are in files from before torch
    0.4.1.

    Args:
        own: The tensors of the network, by name.
        theirs: The tensors of the checkpoint, by the same names.
    """
    missing = [
        name
        for name in own
        if name not in theirs and not name.endswith('num_batches_tracked')
    ]
    mismatched = [
        f'{name} {tuple(theirs[name].shape)} instead of {tuple(value.shape)}'
        for name, value in own.items()
        if name in theirs and theirs[name].shape != value.shape
    ]
    return Differences(
        missing, [name for name in theirs if name not in own], mismatched
    )
