"""Names of the tensors of CLIP's image tower: those of OpenAI are ours."""

import re
from collections.abc import Mapping
from typing import Optional

import torch
from torch import Tensor

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
# The norm before the layers, which image transformers other than CLIPs lack.
NORMS = {
    'OpenAI': 'ln_pre.weight',
    'timm': 'norm_pre.weight',
    'mmpretrain': 'pre_norm.weight',
    'transformers': 'pre_layrnorm.weight',
}
# Of the tower, but of no use here: the projection to the space of texts, and indices.
UNUSED = ('proj', 'head.', 'embeddings.position_ids')


def find_tower(tensors: Mapping[str, Tensor]) -> Optional[tuple[str, str]]:
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


def is_transformer(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a file, not of a recognizer, is of some transformer for images."""
    stems = (*_STEMS.values(), 'embeddings.patch_embeddings.projection.weight')
    return not any(name.startswith('cls_head.') for name in tensors) and any(
        name.endswith(stems) and not name.endswith('conv1.weight') for name in tensors
    )


def rename_tower(tensors: Mapping[str, Tensor]) -> Optional[dict[str, Tensor]]:
    """Return the tensors of a tower by our names and in OpenAI's shapes.

    Args:
        tensors: Those of a file.

    Returns:
        The tensors, or None if there is no such tower.
    """
    found = find_tower(tensors)
    if found is None:
        return None
    layout, prefix = found
    renamed = {
        _rename(layout, name.removeprefix(prefix)): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    if layout == 'transformers':
        return _join_projections(renamed)
    if layout != 'OpenAI':
        # (1, 1, c) -> (c) and (1, l, c) -> (l, c)
        renamed['class_embedding'] = renamed['class_embedding'].flatten()
        if 'positional_embedding' in renamed:
            positions = renamed['positional_embedding']
            renamed['positional_embedding'] = positions.flatten(0, -2)
    return renamed


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
            names = [f'{match[1]}{x}_proj.{match[3]}' for x in 'qkv']
            if all(part in tensors for part in names):  # else it is reported as missing
                parts = [tensors[part] for part in names]
                joined[f'{match[1]}in_proj_{match[3]}'] = torch.cat(parts)
    return joined
