"""Place the tensors of a CLIP's image tower in a backbone that is built on one."""

import logging
import re
from collections.abc import Iterable, Mapping
from math import isqrt
from typing import Any, Optional

from mmengine.logging import print_log
from torch import Tensor

from .advice import describe, list_changes, name_arch
from .clip_names import NORMS, UNUSED, find_tower, rename_tower
from .image_network import ImageNetwork
from .report import Report

_POSITIONS = 'positional_embedding'
_SIZE = 'backbone.img_size'


class ImageCLIP(ImageNetwork):
    """The image tower of a CLIP, where that is a transformer."""

    name = 'CLIP'
    stage = r'layers\.(\d+)\.'
    first_stage = 0
    stems = ('conv1.weight',)
    classifier = ('ln_post.', 'cls_head.', 'data_preprocessor.')
    size = 'arch'

    def find(self, tensors: Mapping[str, Tensor]) -> Optional[dict[str, Tensor]]:
        return rename_tower(tensors)

    @property
    def sizes(self) -> Mapping[str, int]:
        """The arguments of ``backbone.arch``, also those behind a name."""
        arch: Any = self.backbone.arch
        named: Any = self.backbone.arch_settings
        return named[arch] if isinstance(arch, str) else arch

    def is_part(self, tensors: Mapping[str, Tensor]) -> bool:
        # All of another network are no part of this one.
        is_known = not tensors or any(name in self.own for name in tensors)
        return is_known and super().is_part(tensors)

    def unexpected(self, names: Iterable[str]) -> list[str]:
        names = [name for name in names if not name.startswith(UNUSED)]
        # A network without its last layers skips those, but not those of a deeper one.
        depth = self.sizes['num_layers']
        layers = {name: re.match(self.stage, name) for name in names}
        deeper = [
            name for name, found in layers.items() if found and int(found[1]) >= depth
        ]
        return deeper + super().unexpected(
            [name for name in names if name not in deeper]
        )

    def settings(self) -> str:
        backbone = self.backbone
        more = f'form={backbone.form!r}, img_size={backbone.img_size}'
        return f'{super().settings()}, {more}'

    def keys(self) -> str:
        keys = ('type', 'arch', 'form', 'img_size')
        return ', '.join(f'backbone.{key}' for key in keys)

    def advice(self, tensors: Mapping[str, Tensor]) -> str:
        backbone = self.backbone
        ours = describe(self.own)
        # The tensors of the network tell of these only how many layers are built and
        # how many patches there are.
        ours['backbone.arch'] = name_arch(self.sizes)
        height, width = backbone.img_size
        ours[_SIZE] = height if height == width else (height, width)
        changes = list_changes(ours, describe(tensors))
        if _SIZE in changes and backbone.interpolate_mode is None:
            changes += (
                ", or backbone.interpolate_mode='bicubic' to resize the position "
                'embedding'
            )
        return changes

    def place(
        self, tensors: Mapping[str, Tensor], source: str, *args: Any, **kwargs: Any
    ) -> tuple[dict[str, Tensor], Report]:
        found = find_tower(tensors)
        _check_is_clip(tensors, source, found)
        placed, report = super().place(tensors, source, *args, **kwargs)
        if found is not None:
            known = {*report.skipped}
            report.skipped += (
                name
                for name in tensors
                if not name.startswith(found[1]) and name not in known
            )
            self._warn_of_activation(tensors, source)
        return placed, report

    # -------------------------------------------------------- position embedding

    def _place_image_network(
        self, tensors: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], Report]:
        placed, report = super()._place_image_network(tensors)
        side = self._find_side(placed)
        if side and (side, side) != self.backbone.grid:
            self._resize_positions(placed, report, side)
        return placed, report

    def _place_own(
        self, tensors: dict[str, Tensor], pretrained: bool
    ) -> tuple[dict[str, Tensor], Report]:
        placed, report = super()._place_own(tensors, pretrained)
        side = self._find_side(placed)
        height, width = self.backbone.grid
        if side and side**2 != height * width:
            self._resize_positions(placed, report, side)
        elif side and side != height:
            print_log(
                f'{_POSITIONS} of the checkpoint is taken to be for {height} x {width} '
                f'patches, as that of the network is; it has as many rows for {side} x '
                f'{side}. If that was its grid, set backbone.img_size to that of the '
                "checkpoint and backbone.interpolate_mode='bicubic'",
                logger='current',
                level=logging.WARNING,
            )
        return placed, report

    def _find_side(self, placed: Mapping[str, Tensor]) -> int:
        """Return the height of the grid that a file has positions for, if square."""
        if _POSITIONS not in placed:
            return 0
        patches = len(placed[_POSITIONS]) - 1
        side = isqrt(patches)
        return side if side**2 == patches else 0

    def _resize_positions(
        self, placed: dict[str, Tensor], report: Report, side: int
    ) -> None:
        """Give a position embedding the grid of the network, or say that it differs."""
        key, grid = _POSITIONS, self.backbone.grid
        text = f'{key} for {side} x {side} patches'
        others = [name for name in report.mismatched if not name.startswith(key)]
        if self.backbone.interpolate_mode is None:
            report.mismatched = [*others, f'{text} instead of {grid[0]} x {grid[1]}']
        elif placed[key].size(1) == self.own[key].size(1):
            positions = placed[key].to(self.own[key].dtype)  # half is not interpolated
            placed[key] = self.backbone.resize_positions(positions, (side, side), grid)
            report.interpolated = [f'{text} to {grid[0]} x {grid[1]}']
            report.mismatched = others

    # ---------------------------------------------------------------- activation

    def _warn_of_activation(self, tensors: Mapping[str, Tensor], source: str) -> None:
        """Say which activation is used where the file does not tell the right one."""
        activation = self.backbone.activation
        if 'input_resolution' in tensors:  # as in OpenAI's own files
            if activation == 'quick_gelu':
                return
            text = "OpenAI's weights were trained with 'quick_gelu'; set that"
        else:
            text = (
                'the file does not say with which it was trained, and fits both. '
                "OpenAI's weights, those of DFN and most of MetaCLIP need "
                "'quick_gelu', those of LAION, DataComp and CommonPool 'gelu'"
            )
        print_log(
            f'{source}: backbone.activation={activation!r} is used; {text}',
            logger='current',
            level=logging.WARNING,
        )


def _check_is_clip(
    tensors: Mapping[str, Tensor], source: str, found: Optional[tuple[str, str]]
) -> None:
    """Raise a ValueError if a file is of a CLIP or ViT whose tower cannot be used."""
    change = 'give the file of another as backbone.pretrained'
    if found is not None:
        layout, prefix = found
        if f'{prefix}{NORMS[layout]}' not in tensors:
            raise ValueError(
                f'{source} is of an image transformer that is not of a CLIP: it has no '
                f'norm before its layers, {prefix}{NORMS[layout]}; {change}'
            )
    elif any(re.search(r'\bvisual\.(trunk\.)?layer1\.', name) for name in tensors):
        raise ValueError(
            f'{source} is of a CLIP whose image tower is a ResNet, expected one with a '
            f'transformer, such as ViT-B/16 or ViT-L/14; {change}'
        )
    elif any(name.endswith('token_embedding.weight') for name in tensors):
        raise ValueError(
            f'{source} has the text tower of a CLIP, but no image tower that is a '
            f'transformer with a class token; {change}'
        )
