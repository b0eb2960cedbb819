"""Changes to a config that give its network other frames."""

from collections.abc import Iterator, Mapping
from inspect import isclass, signature
from typing import Any, Optional

from mmaction.registry import MODELS
from mmengine import Config

from mmtemporal.config_types import is_type
from mmtemporal.datasets.input_shape import (
    clip_length,
    input_shape,
    is_3d,
    size_after,
    walk,
)
from mmtemporal.models.backbones.tdn import default_fusion

# Samplers of which every clip goes through the whole video, or a part of it in
# seconds: clip_len is what the network takes of it.
_WHOLE_CLIPS = (
    *('UniformSample', 'UniformSampleFrames'),
    *('SampleSegments', 'SampleDenseClips'),
)


def change_frames(cfg: Config, frames: int) -> dict:
    """Return the changes to a config that give a view another number of frames.

    They are of the form of ``--cfg-options``. What depends on the number of frames
    only by default, such as TDN's fusion weights, keeps the value of the training.

    Args:
        cfg: A config with a ``test_pipeline``.
        frames: ``num_segments`` of a 2-D recognizer, frames of a clip of a 3-D one.
    """
    backbone = cfg.model.backbone
    found = dict(_find(cfg.model, 'num_segments', 'model'))
    old: Any = backbone.get('num_segments') or next(iter(found.values()), None)
    # Also that of a head or a convolution of its own; 1 is that of features whose
    # frames were averaged before.
    changes: dict[str, Any] = {k: frames for k, value in found.items() if value == old}
    head = cfg.model.cls_head
    if old and 'num_segments' not in head and _default(head, 'num_segments') == old:
        changes['model.cls_head.num_segments'] = frames
    if is_type(backbone, 'TDN') and backbone.get('fusion') is None:
        if default_fusion(frames) != default_fusion(old):
            changes['model.backbone.fusion'] = default_fusion(old)
    for key, step in walk(cfg.test_pipeline):
        if not clip_length(step):
            continue
        if is_3d(cfg.model) or is_type(step, *_WHOLE_CLIPS):
            changes[f'{key}.clip_len'] = frames
        elif old and clip_length(step) == old and step.get('num_clips', 1) % old:
            changes[f'{key}.clip_len'] = frames
        else:
            views = step.get('num_clips', 1) // old if old else 1
            changes[f'{key}.num_clips'] = frames * max(1, views)
    return changes


def change_size(cfg: Config, size: int) -> dict:
    """Return the changes to a config that give the network frames of another size.

    All sizes of the pipeline change in the same proportion, so that a crop stays the
    same part of the picture.

    Args:
        cfg: A config with a ``test_pipeline``.
        size: Height and width in pixels.
    """
    ratio = size / min(input_shape(cfg)[-2:])
    pictures = [
        (key, step)
        for key, step in walk(cfg.test_pipeline)
        if is_type(step, 'Resize', 'CenterCrop', 'ThreeCrop', 'TenCrop')
    ]
    fixed = [key for key, step in pictures if size_after(step, None)]
    changes = {}
    for key, step in pictures:
        name = 'scale' if is_type(step, 'Resize') else 'crop_size'
        if isinstance(step[name], float):
            changes[f'{key}.{name}'] = step[name] * ratio
            continue
        sides = (step[name],) * 2 if isinstance(step[name], int) else step[name]
        if key == fixed[-1]:
            sides = (min(sides),) * 2  # the network's frames are square
        changes[f'{key}.{name}'] = tuple(
            side if side == -1 else round(side * ratio) for side in sides
        )
    return changes


def _find(cfg: Any, name: str, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the full names of a key in a config, and its values."""
    if isinstance(cfg, Mapping):
        items = cfg.items()
    elif isinstance(cfg, (list, tuple)):
        items = enumerate(cfg)
    else:
        return
    for key, value in items:
        if key == name:
            yield f'{prefix}.{key}', value
        else:
            yield from _find(value, name, f'{prefix}.{key}')


def _default(cfg: Mapping, name: str) -> Optional[object]:
    """Return the default of an argument of what a config builds, or None."""
    kind = cfg.get('type')
    found = kind if isclass(kind) else MODELS.get(str(kind))
    arguments = signature(found).parameters if found else {}
    return arguments[name].default if name in arguments else None
