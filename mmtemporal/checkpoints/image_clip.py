"""Place the tensors of a CLIP's image tower in a backbone that is built on one."""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from mmengine.logging import print_log
from torch import Tensor, nn

from .advice import describe, find_grid, list_changes
from .clip_names import NORMS, UNUSED, find_tower, is_transformer, rename_tower
from .image_network import ImageNetwork
from .report import Report

_POSITIONS = 'positional_embedding'
_GRID = 'position_grid'
_ARCH, _SIZE = 'backbone.arch', 'backbone.img_size'
_LAYERS = 'backbone.out_indices'


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

    def advice(
        self,
        tensors: Mapping[str, Tensor],
        whole: Optional[Mapping[str, Tensor]] = None,
    ) -> str:
        """Return which keys contradict a file, with both values, if it tells.

        Args:
            tensors: Those of the file.
            whole: The tensors of the recognizer if all of them must be in the file,
                and the keys are those of its config.
        """
        backbone, parent = self.backbone, '' if whole is None else 'model.'
        ours, theirs = describe(whole or self.own), describe(tensors)
        # The tensors of the network tell of these only how many layers are built and
        # how many patches there are.
        ours[_ARCH] = backbone.arch
        height, width = backbone.img_size
        ours[_SIZE] = height if height == width else (height, width)
        if _ARCH in theirs:
            theirs[_ARCH] = self._compare_arch(theirs[_ARCH])
        if whole is not None and theirs.get(_ARCH) == backbone.arch:
            last = self.sizes['num_layers'] - 1
            # All layers are in the file, and all must be built.
            ours[_LAYERS], theirs[_LAYERS] = backbone.out_indices, (last,)
            if backbone.num_stages == last + 1:
                del theirs[_LAYERS]
        changes = list_changes(ours, theirs, parent)
        if theirs.get(_SIZE, ours[_SIZE]) != ours[_SIZE] and (
            backbone.interpolate_mode is None
        ):
            changes += (
                f", or {parent}backbone.interpolate_mode='bicubic' to resize the "
                'position embedding'
            )
        return changes

    def _compare_arch(self, arch: Any) -> Any:
        """Return ``arch`` of a file, or that of the network if it has the same sizes.

        How many heads there are is not in a file: as many as here, if that can be.
        """
        named: Any = self.backbone.arch_settings
        sizes = dict(named[arch] if isinstance(arch, str) else arch)
        if sizes['embed_dims'] == self.sizes['embed_dims']:
            sizes['num_heads'] = self.sizes['num_heads']
        if sizes == self.sizes:
            return self.backbone.arch
        return arch if isinstance(arch, str) else sizes

    def general_advice(self, report: Report) -> str:
        if report.unexpected or report.mismatched:
            return super().general_advice(report)
        return (
            'the file is incomplete, or of a network with other backbone.out_indices: '
            'give a whole one as backbone.pretrained, or in backbone.init_cfg'
        )

    def place(
        self,
        tensors: Mapping[str, Tensor],
        source: str,
        nested: bool = False,
        pretrained: bool = False,
    ) -> tuple[dict[str, Tensor], Report]:
        found = find_tower(tensors)
        _check_is_clip(tensors, source, found, nested)
        placed, report = super().place(tensors, source, nested, pretrained)
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
        self.place_positions(placed, report)
        return placed, report

    def _place_own(
        self, tensors: dict[str, Tensor], pretrained: bool
    ) -> tuple[dict[str, Tensor], Report]:
        placed, report = super()._place_own(tensors, pretrained)
        self.place_positions(placed, report)
        return placed, report

    def place_positions(
        self, placed: dict[str, Tensor], report: Report, prefix: str = ''
    ) -> None:
        """Give a position embedding the grid of the network, or say that it differs.

        Args:
            placed: The tensors of a file, changed in place.
            report: How they differ from those of the network, changed likewise.
            prefix: What comes before the names in both.
        """
        key, grid_key, new = prefix + _POSITIONS, prefix + _GRID, self.backbone.grid
        old = find_grid(placed, prefix) if key in placed else None
        # That of the network is a fact about its arguments, which no file changes.
        placed.pop(grid_key, None)
        for names in (report.missing, report.unexpected, report.skipped):
            names[:] = [name for name in names if name != grid_key]
        if key in placed and _GRID in self.own:
            placed[grid_key] = self.own[_GRID]
        if old is None or old == new:
            return
        text = f'{key} for {old[0]} x {old[1]} patches'
        others = [name for name in report.mismatched if not name.startswith(key)]
        own = self.own[_POSITIONS]
        if self.backbone.interpolate_mode is None:
            report.mismatched = [*others, f'{text} instead of {new[0]} x {new[1]}']
        elif placed[key].size(1) == own.size(1):
            positions = placed[key].to(own.dtype)  # half is not interpolated
            placed[key] = self.backbone.resize_positions(positions, old, new)
            report.interpolated = [f'{text} to {new[0]} x {new[1]}']
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


def find_clip(model: nn.Module) -> Optional[ImageCLIP]:
    """Return what places tensors in the backbone of a recognizer, if on a CLIP."""
    backbone = getattr(model, 'backbone', None)
    kind = getattr(backbone, 'image_network', None)
    return ImageCLIP(backbone) if kind is ImageCLIP else None  # type: ignore[arg-type]


def _check_is_clip(
    tensors: Mapping[str, Tensor],
    source: str,
    found: Optional[tuple[str, str]],
    nested: bool,
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
    elif not nested and is_transformer(tensors):
        raise ValueError(
            f'{source} is of an image transformer that is not of a CLIP, which has a '
            f'class token, class_embedding, and a norm before its layers; {change}'
        )
    elif any(name.endswith('token_embedding.weight') for name in tensors):
        raise ValueError(
            f'{source} has the text tower of a CLIP, but no image tower that is a '
            f'transformer with a class token; {change}'
        )
