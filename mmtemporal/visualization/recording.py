"""What the temporal layers of a network compute in one forward pass."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Callable, Optional

from torch import Tensor, nn

from mmtemporal.models.backbones import TDN
from mmtemporal.models.layers import (
    TAM,
    LongTermTDM,
    TAdaConv2d,
    TAdaConv3d,
    TemporalInterlace,
)

from .mixing_matrix import mixes_frames, mixing_matrix


@dataclass
class Record:
    """What one layer computed.

    Attributes:
        name: Name of the layer in the model.
        kind: What is recorded, see :func:`record`.
        label: The part of the name that tells it from the others of its kind.
        values: Tensors by name, see :func:`record`.
    """

    name: str
    kind: str
    label: str = ''
    values: dict[str, Tensor] = field(default_factory=dict)

    def keep(self, name: str, value: Tensor) -> None:
        """Keeps the first value of a name.

        Layers whose activations are recomputed run once more in the backward pass.
        """
        self.values.setdefault(name, value.detach())


@contextmanager
def record(model: nn.Module, mixing: bool = False) -> Iterator[list[Record]]:
    """Records the first forward pass within the context.

    The list is filled when the context ends, in the order of the model's modules.
    Nothing is left at the model. For n clips of t frames and c channels it has, by
    kind:

    ==============  ==========================================================
    'tam'           ``kernel`` (n, k, c) and ``importance`` (n, t, c), those of
                    the two that the variant has
    'tin'           learnt ``offset`` (n, groups), in frames, positive towards
                    later ones; ``weight`` (n, groups, t)
    'long_term'     ``gate``, mean over space (n, t, c), and ``gate_map``, mean
                    over channels (n, t, h, w)
    'short_term'    ``difference`` (n, t, k - 1, 3, h, w), of normalised frames,
                    at half their size
    'tada'          ``calibration`` (n, t, c)
    'mixing'        ``matrix``, see
                    :func:`~mmtemporal.visualization.mixing_matrix.mixing_matrix`
    ==============  ==========================================================

    Forward hooks are used, which a compiled model does not run.

    Args:
        model: A backbone, or a network around one.
        mixing: Whether to record the matrices too, for which the branches of the
            layers run once more.

    Raises:
        ValueError: The matrices are asked for of a model in training, whose batch
            norms would move once more.
    """
    if mixing and model.training:
        raise ValueError('matrices are those of a model in eval mode, this one trains')
    watched, handles = [], []
    for name, module in model.named_modules():
        for kind, watch in _watchers(module, mixing):
            entry = Record(name, kind)
            watched.append(entry)
            handles += watch(module, entry)
    records = []
    try:
        yield records
    finally:
        for handle in handles:
            handle.remove()
        records += [entry for entry in watched if entry.values]
        _label(records)


def has_layers(model: nn.Module, mixing: bool = False) -> bool:
    """Tells whether there is anything to record of a model."""
    return any(True for module in model.modules() for _ in _watchers(module, mixing))


def _watchers(module: nn.Module, mixing: bool) -> Iterator[tuple[str, Callable]]:
    if isinstance(module, TAM):
        if hasattr(module, 'G') or hasattr(module, 'L'):
            yield 'tam', _watch_tam
    elif isinstance(module, TemporalInterlace):
        yield 'tin', _watch_interlacing
    elif isinstance(module, LongTermTDM):
        yield 'long_term', _watch_gate
    elif isinstance(module, (TAdaConv2d, TAdaConv3d)):
        yield 'tada', _watch_calibration
    elif isinstance(module, TDN) and module.difference_layers:
        yield 'short_term', _watch_differences
    if mixing and mixes_frames(module):
        yield 'mixing', _watch_mixing


def _watch_tam(layer: TAM, entry: Record) -> list:
    found = {}

    def keep(_, args: tuple, __) -> None:
        if 'G' in found:
            # (n * c, k) -> (n, k, c)
            kernel = found['G'].unflatten(0, (-1, args[0].size(1)))
            entry.keep('kernel', kernel.transpose(1, 2))
        if 'L' in found:
            entry.keep('importance', found['L'].transpose(1, 2))

    branches = [(name, getattr(layer, name)) for name in 'GL' if hasattr(layer, name)]
    return [
        *(_on_output(branch, found, name) for name, branch in branches),
        layer.register_forward_hook(keep),
    ]


def _on_output(module: nn.Module, found: dict, name: str):
    return module.register_forward_hook(
        lambda _, __, output: found.update({name: output})
    )


def _watch_interlacing(layer: TemporalInterlace, entry: Record) -> list:
    return [
        net.register_forward_hook(
            lambda _, __, output, name=name: entry.keep(name, output)
        )
        for name, net in (('offset', layer.offset_net), ('weight', layer.weight_net))
    ]


def _watch_gate(layer: LongTermTDM, entry: Record) -> list:
    # The gate is (1 + sigmoid(F) + sigmoid(G)) / 2, of which this norm gives first F,
    # then G. The layer overwrites them, so what is kept is taken at once.
    halves = []

    def keep_half(_, __, output: Tensor) -> None:
        half = output.detach().sigmoid()
        halves.append((half.mean((2, 3)), half.mean(1)))

    def keep(*_) -> None:
        for name, parts in zip(('gate', 'gate_map'), zip(*halves)):
            gate = 0.5 + 0.5 * sum(parts)
            entry.keep(name, gate.unflatten(0, (-1, layer.num_segments)))
        halves.clear()

    return [
        layer.expand_bn.register_forward_hook(keep_half),
        layer.register_forward_hook(keep),
    ]


def _watch_calibration(layer: nn.Module, entry: Record) -> list:
    # A routing function returns how far calibrations are from one.
    return [
        layer.routing.register_forward_hook(
            lambda _, __, output: entry.keep('calibration', 1 + output[0].detach())
        )
    ]


def _watch_differences(network: TDN, entry: Record) -> list:
    def keep(_, args: tuple) -> None:
        differences = args[0].unflatten(1, (-1, network.in_channels))
        entry.keep('difference', differences.unflatten(0, (-1, network.num_segments)))

    return [network.diff_conv1.register_forward_pre_hook(keep)]


def _watch_mixing(layer: nn.Module, entry: Record) -> list:
    return [
        layer.register_forward_pre_hook(
            lambda module, args: entry.keep('matrix', mixing_matrix(module, args[0]))
        )
    ]


# ----------------------------------------------------------------------- names


def _label(records: list[Record]) -> None:
    """Shortens the names, for each kind, to what differs."""
    for kind in {entry.kind for entry in records}:
        same = [entry for entry in records if entry.kind == kind]
        names = [entry.name.split('.') for entry in same]
        tails = zip(*(reversed(parts) for parts in names))
        tail = sum(1 for _ in takewhile(lambda part: len(set(part)) == 1, tails))
        for entry, parts in zip(same, names):
            kept = parts[: len(parts) - tail] if len(names) > 1 else parts
            kept = [part for part in kept if part not in ('backbone', 'host')]
            entry.label = '.'.join(kept)


def find(
    records: list[Record],
    kind: str,
    layers: Optional[list[str]] = None,
    stages: Optional[int] = None,
) -> list[Record]:
    """Finds the records of a kind.

    Args:
        records: Those of a forward pass.
        kind: The kind.
        layers: Names of layers, or of modules around them, such as 'layer3.1'.
            Defaults to all.
        stages: With it and without ``layers``, only the last layer of each of so
            many last stages is found.
    """
    same = [entry for entry in records if entry.kind == kind]
    if layers:
        return [e for e in same if any(is_part(e.name, layer) for layer in layers)]
    if stages is None:
        return same
    last = {_stage(entry.label): entry for entry in same}
    return [*last.values()][-stages:]


def _stage(label: str) -> str:
    """Returns what is in front of the number of the block."""
    return re.sub(r'\.?\d+(\.[^.\d][^.]*)*$', '', label)


def is_part(name: str, of: str) -> bool:
    """Tells whether a module has a name or is inside one that has, in any network."""
    return f'.{of}.' in f'.{name}.'
