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
    'reshaped': 'reshaped',
    'folded': 'folded',
    'skipped': 'skipped',
    'new': 'newly initialised',
}


@dataclass
class Report:
    """Names of tensors, by what became of them; as a text, all but the faults.

    Attributes:
        loaded: Those of the file that are in the network.
        copied: Those of the network that hold a tensor once more.
        averaged: Those of the network that are averaged over colours.
        inflated: Those of the network that have further dimensions.
        resized: Those of the network that are for another number of frames.
        reshaped: Those of the file that changed their shape and nothing else.
        folded: Those of the file that became part of others.
        skipped: Those of the file that the network does not have.
        new: Those of the network that the file need not have.
        missing: Those of the network that the file should have.
        unexpected: Those of the file that the network should have.
        mismatched: Those of another shape, with both shapes.
    """

    loaded: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    averaged: list[str] = field(default_factory=list)
    inflated: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)
    folded: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)

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
