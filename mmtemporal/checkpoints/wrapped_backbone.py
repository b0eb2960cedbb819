"""Checkpoints of a backbone with temporal layers inside, and of the backbone alone."""

import re
from collections.abc import Iterable, Mapping
from typing import Optional

from torch import Tensor, nn

_PREFIX = 'host.'
_TEMPORAL = ('.temporal.', '.routing.')
_NUMBER = re.compile(r'\.\d+(?=\.)')


class WrappedBackbone:
    """What the loader asks about the backbone that a ``TemporalAdapter`` wraps.

    It answers as an :class:`~mmtemporal.checkpoints.image_network.ImageNetwork` does.
    """

    name = 'checkpoint of the wrapped backbone'
    stems = ()
    temporal_is_optional = False
    keys = 'backbone.backbone, temporal, where and num_segments'

    def find(
        self, adapter: nn.Module, tensors: Mapping[str, Tensor]
    ) -> Optional[dict[str, Tensor]]:
        names = self.names(adapter, adapter.state_dict())
        ours = set(names.values())
        bare = {name.removeprefix(_PREFIX): name for name in tensors}
        if any(_is_temporal(name) for name in bare.keys() - ours):
            return None
        # The convolutions of a TSM have further names.
        return {
            name if name in ours else name.replace('.net.', '.'): tensors[old]
            for name, old in bare.items()
        }

    def names(self, adapter: nn.Module, own: Iterable[str]) -> dict[str, Optional[str]]:
        layers = tuple(f'{name}.' for name in adapter.temporal_layers())
        return {
            key: None if key.startswith(layers) else key.removeprefix(_PREFIX)
            for key in own
        }

    def adapt(self, adapter: nn.Module, key: str, tensor: Tensor) -> Tensor:
        return tensor

    def unexpected(
        self, adapter: nn.Module, own: Iterable[str], names: Iterable[str]
    ) -> list[str]:
        """Return temporal layers and numbered blocks; others are of classifiers."""
        kept = filter(None, self.names(adapter, own).values())
        bare = [name.removeprefix(_PREFIX) for name in names]
        ours, theirs = (
            {name[: n.end()] for name in group for n in _NUMBER.finditer(name)}
            for group in (kept, bare)
        )
        sequences = {block.rpartition('.')[0] for block in ours}
        more = [b for b in theirs - ours if b.rpartition('.')[0] in sequences]
        return [name for name in names if _is_temporal(name)] + sorted(more)

    def blocks(self, adapter: nn.Module, names: Iterable[str]) -> set[str]:
        return set()

    def is_part(self, names: Iterable[str]) -> bool:
        return False

    def fixed(self, adapter: nn.Module, own: Mapping[str, Tensor]) -> dict:
        """Leave out tensors that modules of the wrapped backbone reshape themselves."""
        if any(module._load_state_dict_pre_hooks for module in adapter.host.modules()):
            names = self.names(adapter, own)
            return {key: value for key, value in own.items() if names[key] is None}
        adapted = {
            f'{name}.weight'
            for name, module in adapter.named_modules()
            if not type(module)._load_from_state_dict.__module__.startswith('torch.')
        }
        return {key: value for key, value in own.items() if key not in adapted}

    def settings(self, adapter: nn.Module) -> str:
        return f'{type(adapter.host).__name__}, num_segments={adapter.num_segments}'


def _is_temporal(name: str) -> bool:
    return any(part in name for part in _TEMPORAL)


WRAPPED_BACKBONE = WrappedBackbone()
