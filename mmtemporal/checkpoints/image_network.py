"""What the loader asks about the image network that a backbone is built on."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Callable, Optional

from torch import Tensor, nn


@dataclass(frozen=True)
class ImageNetwork:
    """A family of image networks, whose checkpoints initialise temporal backbones.

    A backbone names its family as ``image_network`` and says what is its own:
    ``image_name(key)`` returns the name of a tensor in the image network, None for a
    temporal one, and ``adapt(key, tensor)`` a tensor of the image network in the form
    that the backbone has it in.

    Attributes:
        name: What the networks are called in messages.
        rename: Returns the tensors of a file by the names that ``image_name`` gives, or
            None if they are not those of an image network.
        stage: What names in a stage begin with, its number being the first group.
        block: What names in a residual block begin with.
        first_stage: Number of the first stage.
        stems: Names of ours of the kernels that see the frames themselves; the
            first takes one frame.
        classifier: What names of tensors behind the backbone begin with.
        size: Argument of the backbone that says how large the network is.
        temporal_is_optional: Whether a checkpoint of another form of the backbone, of
            which all layers of the image network are, may lack temporal ones.
    """

    name: str
    rename: Callable[[Mapping[str, Tensor]], Optional[dict[str, Tensor]]]
    stage: str
    block: str
    first_stage: int
    stems: tuple[str, ...]
    classifier: tuple[str, ...]
    size: str
    temporal_is_optional: bool

    def find(
        self, backbone: nn.Module, tensors: Mapping[str, Tensor]
    ) -> Optional[dict[str, Tensor]]:
        """Return the tensors of a file if they are those of an image network."""
        return self.rename(tensors)

    def names(
        self, backbone: nn.Module, own: Iterable[str]
    ) -> dict[str, Optional[str]]:
        """Return the name in the image network, or None, for each tensor of ours."""
        return {key: backbone.image_name(key) for key in own}

    def adapt(self, backbone: nn.Module, key: str, tensor: Tensor) -> Tensor:
        """Return a tensor of the image network in the form of ours."""
        return backbone.adapt(key, tensor)

    def unexpected(
        self, backbone: nn.Module, own: Iterable[str], names: Iterable[str]
    ) -> list[str]:
        """Return those names of the file that the backbone should have.

        Classifiers and stages that it was built without are skipped.
        """
        return [
            name
            for name in names
            if self._is_built(backbone, name) and not name.startswith(self.classifier)
        ]

    def blocks(self, backbone: nn.Module, names: Iterable[str]) -> set[str]:
        """Return what names the residual blocks of the stages that are built."""
        matches = filter(None, (re.match(self.block, name) for name in names))
        return {match[0] for match in matches if self._is_built(backbone, match[0])}

    def _is_built(self, backbone: nn.Module, name: str) -> bool:
        match = re.match(self.stage, name)
        return not match or int(match[1]) < self.first_stage + backbone.num_stages

    def fixed(self, backbone: nn.Module, own: Mapping[str, Tensor]) -> dict:
        """Return those tensors of ours whose shape a checkpoint must have."""
        return dict(own)

    def settings(self, backbone: nn.Module) -> str:
        """Return the arguments of a backbone that its tensors depend on."""
        size = getattr(backbone, self.size)
        return f'{self.size}={size!r}, num_segments={backbone.num_segments}'

    def is_part(self, names: Iterable[str]) -> bool:
        """Whether names are not of a network, but of some layers outside its blocks."""
        return not any(re.match(self.block, name) for name in names)

    @property
    def keys(self) -> str:
        """The keys of a config that say what the tensors of a backbone are."""
        return (
            f'backbone.type, {self.size_keys}, backbone.num_segments and the other '
            'arguments'
        )

    @property
    def size_keys(self) -> str:
        """The key of a config that says how large a backbone is."""
        return f'backbone.{self.size}'
