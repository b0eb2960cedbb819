"""What the tensors of a checkpoint tell about the config of its network."""

import re
from collections.abc import Iterable, Mapping
from math import isqrt
from typing import Optional

from torch import Tensor

# Blocks of each stage, and whether they have a third convolution, by depth.
_DEPTHS = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
# Blocks of each stage, and channels of the first, by arch.
_ARCHS = {
    'tiny': ((3, 3, 9, 3), 96),
    'small': ((3, 3, 27, 3), 96),
    'base': ((3, 3, 27, 3), 128),
}


# Layers, width, heads, hidden channels of the MLPs, and patch of a TAdaFormer, by arch.
_TRANSFORMER = (
    'num_layers',
    'embed_dims',
    'num_heads',
    'feedforward_channels',
    'patch_size',
)
_TRANSFORMERS = {'base': (12, 768, 12, 3072, 16), 'large': (24, 1024, 16, 4096, 14)}
# Width of the heads of all CLIPs, which no tensor tells.
_HEAD = 64


def advise(
    own: Mapping[str, Tensor], tensors: Mapping[str, Tensor], parent: str = ''
) -> str:
    """Return which keys of a config contradict a checkpoint, with both values.

    Args:
        own: The tensors of the network, a recognizer or a backbone.
        tensors: Those of the checkpoint.
        parent: What comes before the keys.
    """
    return list_changes(describe(own), describe(tensors), parent)


def list_changes(
    ours: Mapping[str, object], theirs: Mapping[str, object], parent: str = ''
) -> str:
    """Return which keys have other values there, with both."""
    return ', '.join(
        f'{parent}{key}={value!r} (now {ours[key]!r})'
        for key, value in theirs.items()
        if key in ours and ours[key] != value
    )


def describe(tensors: Mapping[str, Tensor]) -> dict[str, object]:
    """Return what the tensors of a recognizer or a backbone tell about its config."""
    found: dict[str, object] = {}
    tensors = {name.removeprefix('backbone.'): x for name, x in tensors.items()}
    for name, tensor in tensors.items():
        if name == 'cls_head.fc_cls.weight':
            found['cls_head.num_classes'] = tensor.size(0)
            found['cls_head.in_channels'] = tensor.size(1)
        elif name.endswith(('.tam.G.0.weight', '.offset_net.fc1.weight')):
            # (alpha * t, t) and (t, t)
            found['backbone.num_segments'] = tensor.size(1)
    resnet = (
        _count_blocks(r'layer(\d)\.(\d+)\.', tensors),
        any('.conv3.' in name for name in tensors),
    )
    convnext = (
        _count_blocks(r'stages\.(\d)\.(\d+)\.', tensors),
        len(tensors.get('stages.0.0.gamma', ())),
    )
    for key, sizes, size in (
        ('backbone.depth', _DEPTHS, resnet),
        ('backbone.arch', _ARCHS, convnext),
    ):
        found.update((key, name) for name in sizes if sizes[name] == size)  # type: ignore[index]
    if {'class_embedding', 'positional_embedding', 'conv1.weight'} <= tensors.keys():
        found.update(_describe_transformer(tensors))
    return found


def _describe_transformer(tensors: Mapping[str, Tensor]) -> dict[str, object]:
    """Return what the tensors of a TAdaFormer tell, or of a CLIP by its names."""
    layers = {name.split('.')[1] for name in tensors if name.startswith('layers.')}
    patch = tensors['conv1.weight'].size(-1)
    width = tensors['positional_embedding'].size(1)
    hidden = tensors.get('layers.0.mlp.c_fc.bias', ())
    found: dict[str, object] = {}
    if 'ln_post.weight' in tensors:  # else there may have been further layers
        sizes = (len(layers), width, max(width // _HEAD, 1), len(hidden), patch)
        names = [name for name, known in _TRANSFORMERS.items() if known == sizes]
        arch: object = names[0] if names else dict(zip(_TRANSFORMER, sizes))
        found['backbone.arch'] = arch
    if any('.tada.' in name for name in tensors):
        two = any('.tada2.' in name for name in tensors)
        found['backbone.form'] = 'S' if two else 'K'
    grid = find_grid(tensors)
    if grid is not None:
        height, width = (side * patch for side in grid)
        found['backbone.img_size'] = height if height == width else (height, width)
    return found


def find_grid(
    tensors: Mapping[str, Tensor], prefix: str = ''
) -> Optional[tuple[int, int]]:
    """Return the height and width of the grid that a position embedding is for.

    Args:
        tensors: Those of a TAdaFormer, which has a tensor of its grid unless that is
            square, or of a CLIP, whose is square.
        prefix: What comes before their names.

    Returns:
        The grid, or None if there is no such tensor and no such square.
    """
    if f'{prefix}position_grid' in tensors:
        height, width = (int(x) for x in tensors[f'{prefix}position_grid'])
        return height, width
    patches = len(tensors[f'{prefix}positional_embedding']) - 1
    side = isqrt(patches)
    return (side, side) if side**2 == patches else None


def _count_blocks(pattern: str, names: Iterable[str]) -> tuple[int, ...]:
    """Return the number of blocks of each stage."""
    blocks = {
        match.groups() for match in (re.match(pattern, n) for n in names) if match
    }
    stages = [stage for stage, _ in blocks]
    return tuple(stages.count(stage) for stage in sorted(set(stages)))
