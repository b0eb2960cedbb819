"""Checkpoints of a backbone with temporal layers inside, and of the backbone alone."""

import re
from collections.abc import Container, Iterable, Mapping
from typing import Optional

from torch import Tensor, nn

from .image_network import ImageNetwork
from .report import Report

_PREFIX = 'backbone.'
# From a recognizer to the adapter, and on to the backbone by its old name.
_PATH = re.compile(r'^(?:backbone\.|host\.)+')
_TEMPORAL = re.compile(r'.*\.(temporal|routing)\.')
_NUMBER = re.compile(r'\.\d+(?=\.)')
# A layer in the file of an adapter alone: in a recognizer it is one level deeper.
_OWN_LAYER = re.compile(r'backbone\.(?!backbone\.).*\.(temporal|routing)\.')


def current_name(name: str) -> str:
    """Return a name in which ``TemporalAdapter.backbone`` may be ``host`` as it was."""
    return _PATH.sub(lambda path: path[0].replace('host.', _PREFIX), name)


def rename_host(
    tensors: Mapping[str, Tensor], own: Container[str]
) -> dict[str, Tensor]:
    """Rename the tensors of a file that may be from the time of ``host``.

    Args:
        tensors: Those of any file.
        own: Names of the network that shall take them. These are left as they are.
    """
    return {n if n in own else current_name(n): x for n, x in tensors.items()}


class WrappedBackbone(ImageNetwork):
    """The backbone that a ``TemporalAdapter`` wraps, of whatever family it is."""

    name = 'checkpoint of the wrapped backbone'

    def __init__(self, adapter: nn.Module) -> None:
        self.layers = tuple(f'{name}.' for name in adapter.temporal_layers())
        super().__init__(adapter)
        self.wrapped = adapter.backbone
        modules = dict(self.wrapped.named_modules())
        self.reshapes = any(x._load_state_dict_pre_hooks for x in modules.values())
        self.adapted = {
            f'{name}.weight'
            for name, module in modules.items()
            if not type(module)._load_from_state_dict.__module__.startswith('torch.')
        }

    def place(
        self,
        tensors: Mapping[str, Tensor],
        source: str,
        nested: bool = False,
        pretrained: bool = False,
    ) -> tuple[dict[str, Tensor], Report]:
        tensors = rename_host(tensors, self.own)
        return super().place(tensors, source, nested, pretrained)

    def is_whole(self, tensors: Mapping[str, Tensor]) -> bool:
        # A recognizer with the wrapped backbone has the adapter's names as well.
        if any(self.names.get(key, '') is None for key in tensors):
            return False
        return super().is_whole(tensors) and not any(map(_OWN_LAYER.match, tensors))

    def find(self, tensors: Mapping[str, Tensor]) -> Optional[dict[str, Tensor]]:
        ours = set(self.names.values())
        bare = {name.removeprefix(_PREFIX): x for name, x in tensors.items()}
        temporal = {key for key, name in self.names.items() if name is None}
        if temporal & tensors.keys() or any(map(_TEMPORAL.match, bare.keys() - ours)):
            return None
        # The convolutions of a TSM have further names.
        return {
            name if name in ours else name.replace('.net.', '.'): x
            for name, x in bare.items()
        }

    def image_name(self, key: str) -> Optional[str]:
        return None if key.startswith(self.layers) else key.removeprefix(_PREFIX)

    def adapt(self, key: str, tensor: Tensor) -> Tensor:
        return tensor

    def must_fit(self, key: str) -> bool:
        """Whether no module of the wrapped backbone reshapes what it loads."""
        name = self.names[key]
        return name is None or not (self.reshapes or name in self.adapted)

    def is_part(self, tensors: Mapping[str, Tensor]) -> bool:
        return False

    def unexpected(self, names: Iterable[str]) -> list[str]:
        """Return temporal layers and numbered blocks; others are of classifiers."""
        ours, theirs = (
            {name[: n.end()] for name in group for n in _NUMBER.finditer(name)}
            for group in (
                filter(None, self.names.values()),
                [name.removeprefix(_PREFIX) for name in names],
            )
        )
        sequences = {block.rpartition('.')[0] for block in ours}
        more = [x for x in theirs - ours if x.rpartition('.')[0] in sequences]
        return [name for name in names if _TEMPORAL.match(name)] + sorted(more)

    def settings(self) -> str:
        segments = self.backbone.num_segments
        return f'{type(self.wrapped).__name__}, num_segments={segments}'

    def advice(self, tensors: Mapping[str, Tensor]) -> str:
        return ''  # the keys of what it wraps are others

    def keys(self) -> str:
        return 'backbone.backbone, temporal, where and num_segments'
