"""The shape of what a config feeds to its model."""

from collections.abc import Iterable, Iterator, Mapping
from inspect import isclass
from math import inf
from typing import Optional

import mmcv
from mmaction.models.recognizers import Recognizer3D
from mmaction.registry import MODELS
from mmengine import Config

from mmtemporal.config_types import is_type


def input_shape(cfg: Config) -> tuple[int, ...]:
    """Return the shape that one input of the model has in testing.

    That of a recognizer is one view of a video: a clip of a 3-D recognizer, the
    frames or windows of ``num_segments`` of a 2-D one.

    Args:
        cfg: The config.

    Returns:
        (m, 3, h, w) or (m, 3, t, h, w) of a recognizer, (c, t) of a localizer.

    Raises:
        ValueError: The config is neither of a localizer nor of a recognizer with
            one sampler and a fixed size in its ``test_pipeline``.
    """
    if 'temporal_dim' in cfg.model:
        return cfg.model.feat_dim, cfg.model.temporal_dim
    steps = [step for _, step in walk(cfg.get('test_pipeline', []))]
    samplers = [step for step in steps if clip_length(step)]
    size = None
    for step in steps:
        size = size_after(step, size)
    if len(samplers) != 1 or not size:
        raise ValueError(
            'cannot tell the size of an input: test_pipeline of the config needs one '
            'sampler with clip_len, and a Resize, CenterCrop, ThreeCrop or TenCrop '
            'with a fixed size'
        )
    frames, clips = clip_length(samplers[0]), samplers[0].get('num_clips', 1)
    is_windowed = input_format(cfg) == 'NCTHW'
    if is_windowed and is_3d(cfg.model):
        return 1, 3, frames, *size  # other clips are views
    rows = clips if is_windowed else clips * frames
    taken = rows_taken(cfg)
    if taken and rows % taken == 0:
        rows = taken  # several views
    return (rows, 3, frames, *size) if is_windowed else (rows, 3, *size)  # type: ignore[arg-type]


def rows_taken(cfg: Config) -> Optional[int]:
    """Return how many frames, or windows, a 2-D recognizer takes of each video.

    Args:
        cfg: The config.

    Returns:
        Their number, None for a backbone that takes any.
    """
    backbone = cfg.model.get('backbone') or {}
    segments = backbone.get('num_segments')
    if not segments or input_format(cfg) == 'NCTHW':
        return segments
    default = 5 if is_type(backbone, 'TDN') else 1
    return segments * backbone.get('frames_per_segment', default)


def input_format(cfg: Config) -> str:
    """Return the layout that the ``data_preprocessor`` of a config expects."""
    return (cfg.model.get('data_preprocessor') or {}).get('format_shape', 'NCHW')


def is_3d(model: Mapping) -> bool:
    """Whether the config of a model is of a recognizer of clips.

    Args:
        model: The config; its type may be a subclass of one's own.
    """
    kind = model.get('type')
    found = kind if isclass(kind) else MODELS.get(str(kind))
    return isclass(found) and issubclass(found, Recognizer3D)


def clip_length(step: Mapping) -> Optional[int]:
    """Return the frames of a clip, or window, of a sampler; None of other transforms.

    Args:
        step: Config of a transform. Of the samplers that make several clips or
            windows, TDN's alone has a default.
    """
    return step.get('clip_len', 5 if is_type(step, 'SampleWindows') else None)


def walk(
    pipeline: Iterable[dict], key: str = 'test_pipeline'
) -> Iterator[tuple[str, dict]]:
    """Yield the transforms of a pipeline, also those within ``SkipBroken``.

    Args:
        pipeline: The configs of its transforms.
        key: That of the pipeline in the config.

    Yields:
        The key of a transform, such as 'test_pipeline.1', and its config.
    """
    for i, step in enumerate(pipeline):
        if is_type(step, 'SkipBroken'):
            yield from walk(step['transforms'], f'{key}.{i}.transforms')
        else:
            yield f'{key}.{i}', step


def size_after(step: dict, size: Optional[tuple[int, int]]) -> Optional[tuple]:
    """Return the height and width that a step of a pipeline leaves, if fixed.

    Args:
        step: Config of a transform.
        size: Height and width before it, None if videos of several sizes differ.
    """
    if is_type(step, 'CenterCrop', 'ThreeCrop', 'TenCrop'):
        crop = step['crop_size']
        width, height = (crop, crop) if isinstance(crop, int) else crop
        return height, width
    if not is_type(step, 'Resize'):
        return size
    scale = step['scale']
    if not step.get('keep_ratio', True):
        width, height = scale
        return height, width
    if size is None:
        return None
    if not isinstance(scale, float):
        scale = tuple(inf if side == -1 else side for side in scale)
    width, height = mmcv.rescale_size(size[::-1], scale)
    return height, width
