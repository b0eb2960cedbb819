"""Place the tensors of a file in a backbone that is built on an image network."""

import re
from collections.abc import Iterable, Mapping
from typing import Optional

from torch import Tensor, nn

from .advice import advise
from .colours import repeat_colours, repeat_stems
from .report import Report, compare, summarise
from .segments import depends_on_segments, resize_segments

_PREFIX = 'backbone.'


class ImageNetwork:
    """A family of image networks, and a backbone that is built on one of them.

    A backbone names the class of its family as ``image_network`` and says what is its
    own: ``image_name(key)`` returns the name of a tensor in the image network, None for
    a temporal one, and ``adapt(key, tensor)`` a tensor of the image network in the form
    that the backbone has it in.

    Attributes:
        name: What the networks are called in messages.
        stage: What names in a stage begin with, its number being the first group.
        first_stage: Number of the first stage.
        stems: Names of ours of the kernels that see the frames themselves; the
            first takes one frame.
        classifier: What names of tensors behind the backbone begin with.
        size: Argument of the backbone that says how large the network is.
        temporal_is_optional: Whether a checkpoint of another form of the backbone may
            lack temporal layers.
    """

    name: str
    stage: str
    first_stage: int
    stems: tuple[str, ...] = ()
    classifier: tuple[str, ...]
    size: str
    temporal_is_optional = False

    def __init__(self, backbone: nn.Module) -> None:
        self.backbone = backbone
        self.kind = type(backbone).__name__
        self.can_resize = hasattr(backbone, 'resize_segments')
        self.own = backbone.state_dict()
        self.names = {key: self.image_name(key) for key in self.own}

    # ------------------------------------------------ what depends on the family

    def find(self, tensors: Mapping[str, Tensor]) -> Optional[dict[str, Tensor]]:
        """Return the tensors of an image network by the names of ``image_name``.

        Args:
            tensors: Those of a file.

        Returns:
            The tensors, or None if they are not those of an image network.
        """
        raise NotImplementedError

    def image_name(self, key: str) -> Optional[str]:
        return self.backbone.image_name(key)

    def adapt(self, key: str, tensor: Tensor) -> Tensor:
        return self.backbone.adapt(key, tensor)

    def must_fit(self, key: str) -> bool:
        """Whether the shape of a tensor in a checkpoint must be that of ours."""
        return True

    def is_whole(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether tensors are those of a recognizer, not of its backbone alone."""
        return any(name.startswith(_PREFIX) for name in tensors)

    def is_part(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether tensors are some that are in no stage, which anyone may set."""
        return not any(re.match(self.stage, name) for name in tensors)

    def unexpected(self, names: Iterable[str]) -> list[str]:
        """Return those names that are not of a classifier or a skipped stage."""
        end = self.first_stage + self.backbone.num_stages
        stages = [re.match(self.stage, name) for name in names]
        return [
            name
            for name, stage in zip(names, stages)
            if not name.startswith(self.classifier)
            and not (stage and int(stage[1]) >= end)
        ]

    def settings(self) -> str:
        """Return the arguments of the backbone that its tensors depend on."""
        size = getattr(self.backbone, self.size)
        return f'{self.size}={size!r}, num_segments={self.backbone.num_segments}'

    def keys(self) -> str:
        """Return the keys of a config that say what the tensors are."""
        return f'backbone.type, backbone.{self.size} and the other arguments'

    def advice(self, tensors: Mapping[str, Tensor]) -> str:
        """Return which keys contradict a file, with both values, if it tells."""
        return advise(self.own, tensors)

    def general_advice(self, report: Report) -> str:
        """Return what to do if no key is known to contradict a file."""
        return f'set {self.keys()} to those of the checkpoint'

    # ------------------------------------------------------------------- placing

    def place(
        self,
        tensors: Mapping[str, Tensor],
        source: str,
        nested: bool = False,
        pretrained: bool = False,
    ) -> tuple[dict[str, Tensor], Report]:
        """Return the tensors of a file by the names of the backbone.

        Args:
            tensors: The tensors of an image network, this backbone, or a recognizer
                with one of them.
            source: What they are called in messages.
            nested: Whether they are those of the backbone of a recognizer.
            pretrained: Whether as ``backbone.pretrained``: kernels for colours are
                averaged in the backbone's own checkpoints, too, and these must be of
                recognizers, but with ``torchvision_pretrain=False``.

        Raises:
            ValueError: They are of another network.
        """
        whole = not nested and self.is_whole(tensors)
        theirs, others = _take_backbone(tensors) if whole else (dict(tensors), [])
        image = None if self.own.keys() == theirs.keys() else self.find(theirs)
        image_only = pretrained and not whole
        image_only &= getattr(self.backbone, 'torchvision_pretrain', True)
        if image is not None or image_only:
            theirs = theirs if image is None else image
            placed, report = self._place_image_network(theirs)
        else:
            placed, report = self._place_own(theirs, pretrained)
        is_other = (whole or nested) and not self.own.keys() & placed.keys()
        if is_other or report.faults():
            needs_image = image_only and image is None
            self._refuse(theirs, report, source, is_other, needs_image)
        report.skipped += others
        return placed, report

    def _place_image_network(
        self, tensors: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], Report]:
        placed, used = {}, set()
        copied, averaged, inflated = [], [], []
        for key, name in self.names.items():
            if name not in tensors:
                continue
            old = tensors[name]
            placed[key] = repeat_colours(self.adapt(key, old), self.own[key])
            if placed[key].dim() > old.dim():
                inflated.append(key)
            if old.dim() > 3 and placed[key].size(1) != old.size(1):
                averaged.append(key)
            if name in used:
                copied.append(key)
            used.add(name)
        new = [key for key, name in self.names.items() if name is None]
        report = self._compare(placed, new)
        report.loaded, report.copied = sorted(used), copied
        report.averaged, report.inflated = averaged, inflated
        report.skipped = sorted(tensors.keys() - used)
        report.unexpected = self.unexpected(report.skipped)
        return placed, report

    def _place_own(
        self, tensors: dict[str, Tensor], pretrained: bool
    ) -> tuple[dict[str, Tensor], Report]:
        placed, new, averaged, resized = dict(tensors), [], [], []
        if pretrained:
            averaged = repeat_stems(self.stems, self.own, placed)
        if self.can_resize and self.backbone.resize_segments:
            resized = resize_segments(placed, self.backbone.num_segments, self.own)
        if self.temporal_is_optional:
            missing = compare(self.own, placed).missing
            new = [key for key in missing if self.names[key] is None]
        report = self._compare(placed, new)
        report.averaged, report.resized = averaged, resized
        report.skipped = report.unexpected
        report.unexpected = self.unexpected(report.skipped)
        if self.is_part(tensors):
            report.missing = report.unexpected = report.new = []
        return placed, report

    def _compare(self, placed: dict[str, Tensor], new: list[str]) -> Report:
        expected = {key: x for key, x in self.own.items() if key not in new}
        report = compare(expected, placed)
        fixed = {key: x for key, x in expected.items() if self.must_fit(key)}
        report.mismatched = compare(fixed, placed).mismatched
        report.new = new
        return report

    def _refuse(
        self,
        theirs: dict,
        report: Report,
        source: str,
        is_other: bool,
        needs_image: bool,
    ) -> None:
        """Raise a ValueError that says which keys of the config to change."""
        if is_other:
            raise ValueError(
                f'{source} is of a recognizer whose backbone is no {self.kind}: it has '
                f'{summarise([*theirs])}; set backbone.type to that of the checkpoint'
            )
        advice = self.advice(theirs)
        advice = f'set {advice}' if advice else self.general_advice(report)
        if needs_image:
            advice += (
                f'. backbone.pretrained takes a {self.name}; a checkpoint of this '
                "backbone itself is loaded by backbone.init_cfg=dict(type='Pretrained',"
                ' checkpoint=...)'
            )
        elif depends_on_segments(report.mismatched) and self.can_resize:
            advice += (
                ', or backbone.resize_segments=True or tools/convert_checkpoint.py '
                '--num-segments for a checkpoint for another number of frames'
            )
        raise ValueError(
            f'{source} does not fit this {self.kind} ({self.settings()}): '
            f'{report.faults()}; {advice}'
        )


def _take_backbone(
    tensors: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors of the backbone of a recognizer, and the names of others."""
    ours = [name for name in tensors if name.startswith(_PREFIX)]
    theirs = {name.removeprefix(_PREFIX): tensors[name] for name in ours}
    return theirs, [name for name in tensors if not name.startswith(_PREFIX)]
