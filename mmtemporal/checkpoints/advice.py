"""What the tensors of a checkpoint tell about the config of its network."""

import re
from collections.abc import Iterable, Mapping

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


def advise(
    own: Mapping[str, Tensor], tensors: Mapping[str, Tensor], parent: str = ''
) -> str:
    """Return which keys of a config contradict a checkpoint, with both values.

    Args:
        own: The tensors of the network, a recognizer or a backbone.
        tensors: Those of the checkpoint.
        parent: What comes before the keys.
    """
    ours, theirs = describe(own), describe(tensors)
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
    return found


def _count_blocks(pattern: str, names: Iterable[str]) -> tuple[int, ...]:
    """Return the number of blocks of each stage."""
    blocks = {
        match.groups() for match in (re.match(pattern, n) for n in names) if match
    }
    stages = [stage for stage, _ in blocks]
    return tuple(stages.count(stage) for stage in sorted(set(stages)))
