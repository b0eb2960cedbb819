"""Names of the tensors of CLIP's image tower: those of OpenAI are ours."""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional

import torch
from mmengine.logging import print_log
from torch import Tensor

from .image_network import ImageNetwork
from .report import Report

# The kernel of the stem, by who writes such names. What comes before it comes before
# all names of the tower.
_STEMS = {
    'OpenAI': 'conv1.weight',
    'timm': 'patch_embed.proj.weight',
    'mmpretrain': 'patch_embed.projection.weight',
    'transformers': 'embeddings.patch_embedding.weight',
}
# Shared by timm and mmpretrain.
_TOKENS = (
    (r'^cls_token$', 'class_embedding'),
    (r'^pos_embed$', 'positional_embedding'),
    (r'\.attn\.qkv\.(weight|bias)$', r'.attn.in_proj_\1'),
    (r'\.attn\.proj\.', '.attn.out_proj.'),
)
# Shared by timm and transformers.
_MLP = ((r'\.fc1\.', '.c_fc.'), (r'\.fc2\.', '.c_proj.'))
# What becomes a name of ours, if done in turn.
_RENAMINGS = {
    'OpenAI': ((r'^transformer\.resblocks\.', 'layers.'),),
    'timm': (
        *_TOKENS,
        *_MLP,
        (r'^norm\.', 'ln_post.'),
        (r'^norm_pre\.', 'ln_pre.'),
        (r'^blocks\.', 'layers.'),
        (r'\.norm([12])\.', r'.ln_\1.'),
    ),
    'mmpretrain': (
        *_TOKENS,
        (r'^ln1\.', 'ln_post.'),
        (r'^pre_norm\.', 'ln_pre.'),
        (r'\.ln([12])\.', r'.ln_\1.'),
        (r'\.ffn\.layers\.0\.0\.', '.mlp.c_fc.'),
        (r'\.ffn\.layers\.1\.', '.mlp.c_proj.'),
    ),
    'transformers': (
        *_MLP,
        (r'^embeddings\.class_embedding$', 'class_embedding'),
        (r'^embeddings\.position_embedding\.weight$', 'positional_embedding'),
        (r'^pre_layrnorm\.', 'ln_pre.'),
        (r'^post_layernorm\.', 'ln_post.'),
        (r'^encoder\.', ''),
        (r'\.layer_norm([12])\.', r'.ln_\1.'),
        (r'\.self_attn\.', '.attn.'),
    ),
}
# Of the tower, but of no use here: the projection to the space of texts, and indices.
_UNUSED = ('proj', 'head.', 'embeddings.position_ids')


class ImageCLIP(ImageNetwork):
    """The image tower of a CLIP, where that is a transformer."""

    name = 'CLIP'
    stage = r'layers\.(\d+)\.'
    first_stage = 0
    stems = ('conv1.weight',)
    classifier = ('ln_post.', 'cls_head.', 'data_preprocessor.')
    size = 'arch'

    def find(self, tensors: Mapping[str, Tensor]) -> Optional[dict[str, Tensor]]:
        found = _find_tower(tensors)
        if found is None:
            return None
        layout, prefix = found
        renamed = {
            _rename(layout, name.removeprefix(prefix)): tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        if layout == 'transformers':
            renamed = _join_projections(renamed)
        for name in ('class_embedding', 'positional_embedding'):
            if name in renamed:  # timm and mmpretrain: (1, l, c)
                renamed[name] = renamed[name].squeeze(0)
        if renamed['class_embedding'].dim() > 1:
            renamed['class_embedding'] = renamed['class_embedding'].squeeze(0)
        return renamed

    def unexpected(self, names: Iterable[str]) -> list[str]:
        return super().unexpected([n for n in names if not n.startswith(_UNUSED)])

    def settings(self) -> str:
        backbone = self.backbone
        more = f'form={backbone.form!r}, img_size={backbone.img_size}'
        return f'{super().settings()}, {more}'

    def place(
        self, tensors: Mapping[str, Tensor], source: str, *args: Any, **kwargs: Any
    ) -> tuple[dict[str, Tensor], Report]:
        found = _find_tower(tensors)
        if found is None:
            _check_has_tower(tensors, source)
        placed, report = super().place(tensors, source, *args, **kwargs)
        if found is not None:
            report.skipped += (n for n in tensors if not n.startswith(found[1]))
            self._warn_of_activation(tensors, source)
        return placed, report

    def _place_own(
        self, tensors: dict[str, Tensor], pretrained: bool
    ) -> tuple[dict[str, Tensor], Report]:
        key = 'positional_embedding'
        if self.backbone.interpolate_mode and key in tensors:
            if tensors[key].shape != self.own[key].shape:
                fitted = self.backbone.fit_positions(tensors[key])
                tensors = {**tensors, key: fitted}
        return super()._place_own(tensors, pretrained)

    def _warn_of_activation(self, tensors: Mapping[str, Tensor], source: str) -> None:
        """Say which activation is used where the file does not tell the right one."""
        activation = self.backbone.activation
        known = (
            "the file does not say with which it was trained. OpenAI's weights, those "
            "of DFN and most of MetaCLIP need 'quick_gelu'; those of LAION, DataComp "
            "and CommonPool 'gelu'"
        )
        if 'input_resolution' in tensors:  # as in OpenAI's own files
            if activation == 'quick_gelu':
                return
            known = "OpenAI's weights were trained with 'quick_gelu'"
        print_log(
            f'{source}: backbone.activation={activation!r}; {known}',
            logger='current',
            level=logging.WARNING,
        )


def _find_tower(tensors: Mapping[str, Tensor]) -> Optional[tuple[str, str]]:
    """Return who writes the names of a tower, and what comes before them."""
    for layout, stem in _STEMS.items():
        for name in tensors:
            prefix = name.removesuffix(stem)
            if prefix == name or tensors[name].dim() != 4:
                continue
            tokens = ('class_embedding', 'cls_token', 'embeddings.class_embedding')
            if any(f'{prefix}{token}' in tensors for token in tokens):
                return layout, prefix
    return None


def _rename(layout: str, name: str) -> str:
    if name == _STEMS[layout]:
        return 'conv1.weight'
    for pattern, replacement in _RENAMINGS[layout]:
        name = re.sub(pattern, replacement, name)
    return name


def _join_projections(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Make one tensor of those of queries, keys and values."""
    joined = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(r'(.*\.attn\.)([qkv])_proj\.(weight|bias)', name)
        if match is None:
            joined[name] = tensor
        elif match[2] == 'q':
            parts = [tensors[f'{match[1]}{x}_proj.{match[3]}'] for x in 'qkv']
            joined[f'{match[1]}in_proj_{match[3]}'] = torch.cat(parts)
    return joined


def _check_has_tower(tensors: Mapping[str, Tensor], source: str) -> None:
    """Raise a ValueError if a file is of a CLIP without such a tower."""
    if any('visual.layer1.' in name for name in tensors):
        raise ValueError(
            f'{source} is of a CLIP whose image tower is a ResNet, expected one with a '
            'transformer, such as ViT-B/16 or ViT-L/14; change backbone.pretrained'
        )
    if any(name.endswith('token_embedding.weight') for name in tensors):
        raise ValueError(
            f'{source} has the text tower of a CLIP, but no image tower that is a '
            'transformer; change backbone.pretrained'
        )
