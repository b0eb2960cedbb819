"""What became of the tensors of a checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

# What __str__ says of the attributes, in this order.
_DONE = {
    'copied': 'copied',
    'averaged': 'averaged over colours',
    'inflated': 'inflated',
    'resized': 'resized to another number of frames',
    'interpolated': 'interpolated',
    'reshaped': 'reshaped',
    'folded': 'folded',
    'skipped': 'skipped',
    'new': 'newly initialised',
}


def _names() -> list[str]:
    return field(default_factory=list)


@dataclass
class Report:
    """Names of tensors, by what became of them; as a text, all but the faults."""

    # Of the file:
    loaded: list[str] = _names()
    reshaped: list[str] = _names()  # in no other way
    folded: list[str] = _names()  # into others
    skipped: list[str] = _names()
    unexpected: list[str] = _names()
    # Of the network:
    copied: list[str] = _names()  # further copies of a tensor
    averaged: list[str] = _names()
    inflated: list[str] = _names()  # have more dimensions
    resized: list[str] = _names()
    interpolated: list[str] = _names()  # with both grids of patches
    new: list[str] = _names()  # need not be in the file
    missing: list[str] = _names()
    mismatched: list[str] = _names()  # with both shapes

    def __str__(self) -> str:
        return ', '.join(
            [f'loaded {len(self.loaded)} tensors']
            + [f'{verb} {summarise(names)}' for verb, names in self.changes().items()]
        )

    def changes(self) -> dict[str, list[str]]:
        """Return the names of what was not just loaded, by what was done."""
        done = {verb: getattr(self, name) for name, verb in _DONE.items()}
        return {verb: names for verb, names in done.items() if names}

    def faults(self) -> str:
        """Return what keeps the checkpoint from fitting, or an empty text."""
        faults = ('missing', 'unexpected', 'mismatched')
        if not any(getattr(self, fault) for fault in faults):
            return ''
        return ', '.join(f'{summarise(getattr(self, name))} {name}' for name in faults)


def summarise(names: Sequence[str]) -> str:
    """Return how many names there are, and the first of them."""
    shown = ', '.join(names[:3])
    return f'{len(names)} ({shown}{", ..." * (len(names) > 3)})' if names else '0'


def compare(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> Report:
    """Return how the tensors of a checkpoint differ from those of a network.

    Counters of batch norms may be missing, as they are in files from before torch
    0.4.1.

    Args:
        own: The tensors of the network, by name.
        theirs: The tensors of the checkpoint, by the same names.
    """
    return Report(
        loaded=[name for name in theirs if name in own],
        missing=[
            name
            for name in own
            if name not in theirs and not name.endswith('num_batches_tracked')
        ],
        unexpected=[name for name in theirs if name not in own],
        mismatched=[
            f'{name} {tuple(theirs[name].shape)} instead of {tuple(value.shape)}'
            for name, value in own.items()
            if name in theirs and theirs[name].shape != value.shape
        ],
    )
