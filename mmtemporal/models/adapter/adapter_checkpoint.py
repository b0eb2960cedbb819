"""Checkpoints for a backbone with temporal layers, and for the backbone alone."""

import re
from collections.abc import Iterable

from mmengine.logging import print_log
from torch import nn

from mmtemporal.checkpoints.compare import compare
from mmtemporal.models.backbones.checkpoint_report import repeat_colours, summarise
from mmtemporal.models.backbones.recognizer_checkpoint import check_names, keep_backbone
from mmtemporal.models.layers import SingleFrameConv3d

_NUMBER = re.compile(r'\.\d+(?=\.)')


def prepare_checkpoint(adapter: nn.Module, state_dict: dict, prefix: str) -> None:
    """Make tensors, in place, those that an adapter loads, or refuse them.

    Those of the wrapped backbone alone, and of a recognizer with it, get the names
    that they have in the adapter. mmengine loads checkpoints loosely and would only
    log what differs.

    Args:
        adapter: The :class:`~mmtemporal.models.backbones.TemporalAdapter`.
        state_dict: The tensors of the checkpoint.
        prefix: What comes before the names of those of the adapter.

    Raises:
        ValueError: They are of another network.
    """
    if not prefix:
        keep_backbone(state_dict)
    _add_host_prefix(state_dict, prefix)
    own = adapter.state_dict(prefix=prefix)
    _unwrap_shifts(own, state_dict)
    if prefix:
        check_names(adapter, state_dict, prefix)
    layers = tuple(f'{prefix}{name}.' for name in adapter.temporal_layers())
    temporal = {name for name in own if name.startswith(layers)}
    others = state_dict.keys() - (own.keys() - temporal)
    whole = any('.temporal.' in name or '.routing.' in name for name in others)
    if not whole:
        _repeat_colours(own, state_dict)
    _check(adapter, state_dict, prefix, temporal, whole)


def _add_host_prefix(state_dict: dict, prefix: str) -> None:
    names = [name for name in state_dict if name.startswith(prefix)]
    host = f'{prefix}host.'
    if any(name.startswith(host) for name in names):
        return
    for name in names:
        state_dict[host + name[len(prefix) :]] = state_dict.pop(name)


def _unwrap_shifts(own: dict, state_dict: dict) -> None:
    """Give the convolutions of a TSM the names that they have in other networks."""
    for name in list(state_dict):
        plain = name.replace('.net.', '.')
        if name not in own and plain in own:
            state_dict[plain] = state_dict.pop(name)


def _repeat_colours(own: dict, state_dict: dict) -> None:
    """Average the stem of a wrapped backbone for other channels."""
    averaged = []
    for name, value in own.items():
        if name in state_dict:
            tensor = repeat_colours(state_dict[name], value)
            if tensor is not state_dict[name]:
                state_dict[name] = tensor
                averaged.append(name)
    if averaged:
        print_log(
            f'averaged over colours and repeated {summarise(averaged)}',
            logger='current',
        )


def _check(
    adapter: nn.Module, state_dict: dict, prefix: str, temporal: set[str], whole: bool
) -> None:
    own = adapter.state_dict(prefix=prefix)
    missing, unexpected, _ = compare(own, state_dict)
    if not whole:
        missing = [name for name in missing if name not in temporal]
    unexpected = [n for n in unexpected if '.temporal.' in n or '.routing.' in n]
    unexpected += _more_blocks(own.keys() - temporal, state_dict)
    fixed = _without_adapted(adapter, own, prefix, temporal)
    mismatched = compare(fixed, state_dict).mismatched
    if missing or unexpected or mismatched:
        raise ValueError(
            f'the checkpoint is not of this TemporalAdapter with '
            f'{type(adapter.host).__name__} and num_segments={adapter.num_segments}, '
            f'nor of the host alone: it lacks {summarise(missing)}, has in excess '
            f'{summarise(unexpected)} and in other shapes {summarise(mismatched)}; set '
            'the backbone.backbone, temporal, where and num_segments of the '
            'checkpoint'
        )
    if not whole:
        print_log(
            f'the checkpoint is of the wrapped backbone: {type(adapter.host).__name__} '
            f'is loaded, {len(temporal)} tensors of temporal layers are newly '
            'initialised',
            logger='current',
        )


def _without_adapted(
    adapter: nn.Module, own: dict, prefix: str, temporal: set[str]
) -> dict:
    """Leave out tensors that modules of the wrapped backbone reshape themselves."""
    if any(module._load_state_dict_pre_hooks for module in adapter.host.modules()):
        return {name: own[name] for name in own if name in temporal}
    adapted = {
        f'{prefix}{name}.weight'
        for name, module in adapter.named_modules()
        if isinstance(module, SingleFrameConv3d)
    }
    return {name: value for name, value in own.items() if name not in adapted}


def _more_blocks(own: Iterable[str], theirs: Iterable[str]) -> list[str]:
    """List the numbered blocks that a checkpoint has and a network has not.

    Other unexpected tensors are those of classifiers.
    """
    own, theirs = (
        {name[: number.end()] for name in names for number in _NUMBER.finditer(name)}
        for names in (own, theirs)
    )
    sequences = {block.rpartition('.')[0] for block in own}
    return sorted(
        block for block in theirs - own if block.rpartition('.')[0] in sequences
    )
