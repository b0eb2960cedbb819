"""What the temporal layers of a network compute in one forward pass."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Callable, Optional

from torch import Tensor, nn

from mmtemporal.models.layers.temporal_layer import temporal_layers


@dataclass
class Record:
    """What one layer computed.

    Attributes:
        name: Name of the layer in the model.
        kind: Name of its class.
        label: The part of the name that tells it from the others of its kind.
        values: Tensors by name, see :func:`record`.
        calibration_centre: Of the layer.
    """

    name: str
    kind: str
    label: str = ''
    values: dict[str, Tensor] = field(default_factory=dict)
    calibration_centre: float = 1.0

    def keep(self, name: str, value: Tensor) -> None:
        """Keep the first value of a name.

        Layers with activation checkpointing run again in the backward pass.
        """
        self.values.setdefault(name, value.detach())


@contextmanager
def record(model: nn.Module) -> Iterator[list[Record]]:
    """Record the first forward pass within the context.

    The list is filled when the context ends, in the order of the model's modules.
    Nothing is left at the model. Figures and the hook for statistics know these
    values, of n clips with t frames and c channels:

    ===============  ==========================================================
    ``kernel``       (n, k, c): a kernel for each channel
    ``importance``   (n, t, c): what frames are multiplied by before the mixing
    ``offset``       (n, groups), in frames, positive towards later ones
    ``weight``       (n, groups, t): what frames are multiplied by after a move
    ``gate``         (n, t, c): what features are multiplied by, mean over space
    ``gate_map``     (n, t, h, w): the same, mean over channels
    ``difference``   (n, t, k - 1, 3, h, w), of normalised frames, at half size
    ``calibration``  (n, t, c): what the kernel of a convolution is multiplied by
    ``matrix``       (n or 1, g, t, t): by which g equal runs of the channels that
                     are mixed get their frames, rows being output frames
    ===============  ==========================================================

    A layer of your own may record others, too. Compiled models record nothing.

    Args:
        model: A backbone, or a network around one.
    """
    watched, others = [], {}
    for name, layer in temporal_layers(model):
        kind, centre = type(layer).__name__, layer.calibration_centre
        entry = Record(name, kind, calibration_centre=centre)
        watched.append(entry)
        others[layer] = layer.recorder
        layer.recorder = _join(layer.recorder, entry.keep)
    records: list[Record] = []
    try:
        yield records
    finally:
        for layer, recorder in others.items():
            layer.recorder = recorder
        records += [entry for entry in watched if entry.values]
        _label(records)


def _join(first: Optional[Callable], second: Callable) -> Callable:
    """Return what records for a context and for one around it."""
    if first is None:
        return second

    def both(name: str, value: Tensor) -> None:
        first(name, value)
        second(name, value)

    return both


# ----------------------------------------------------------------------- names


def _label(records: list[Record]) -> None:
    """Shorten the names, for each kind, to what differs."""
    for kind in {entry.kind for entry in records}:
        same = [entry for entry in records if entry.kind == kind]
        names = [entry.name.split('.') for entry in same]
        tails = zip(*(reversed(parts) for parts in names))
        tail = sum(1 for _ in takewhile(lambda part: len(set(part)) == 1, tails))
        for entry, parts in zip(same, names):
            kept = parts[: len(parts) - tail] if len(names) > 1 else parts
            kept = [part for part in kept if part != 'backbone']
            entry.label = '.'.join(kept)


def find(
    records: list[Record],
    value: str,
    layers: Optional[list[str]] = None,
    stages: Optional[int] = None,
) -> list[Record]:
    """Find the records that have a value.

    Args:
        records: Those of a forward pass.
        value: Name of the value.
        layers: Names of layers, or of modules around them, such as 'layer3.1'.
            Defaults to all.
        stages: With it and without ``layers``, only the last layer of each of so
            many last stages is found.
    """
    same = [entry for entry in records if value in entry.values]
    if layers:
        return [e for e in same if any(is_part(e.name, layer) for layer in layers)]
    if stages is None:
        return same
    last = {_stage(entry.label): entry for entry in same}
    return [*last.values()][-stages:]


def _stage(label: str) -> str:
    """Return what is in front of the number of the block.

    Blocks in one list have no stages, so each is one.
    """
    block = re.sub(r'(\.[^.\d][^.]*)*$', '', label)
    stage = re.sub(r'\.?\d+$', '', block)
    return stage if re.search(r'\d', stage) else block


def is_part(name: str, of: str) -> bool:
    """Whether a module has a name or is inside one that has, in any network."""
    return f'.{of}.' in f'.{name}.'
