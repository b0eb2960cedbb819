"""What a test pipeline does to a video, as plain data for programs without it."""

from collections.abc import Sequence
from inspect import isclass
from math import inf, isfinite
from typing import Any, NamedTuple, Optional

from mmaction.datasets.transforms import (
    CenterCrop,
    DecordDecode,
    DecordInit,
    DenseSampleFrames,
    FormatShape,
    OpenCVDecode,
    OpenCVInit,
    PackActionInputs,
    RawFrameDecode,
    Resize,
    SampleFrames,
    TenCrop,
    ThreeCrop,
    UniformSample,
    UniformSampleFrames,
)
from mmaction.registry import TRANSFORMS

from mmtemporal.config_types import type_name
from mmtemporal.datasets.input_shape import size_after, walk
from mmtemporal.datasets.transforms import (
    SampleDenseClips,
    SampleSegments,
    SampleWindows,
    StrictDecordInit,
    StrictPyAVInit,
)

# What decides, in testing, which frames a sampler takes.
_SAMPLERS = {
    SampleFrames: (
        *('clip_len', 'frame_interval', 'num_clips', 'twice_sample'),
        *('out_of_bound_opt', 'target_fps'),
    ),
    DenseSampleFrames: (
        *('clip_len', 'frame_interval', 'num_clips', 'sample_range'),
        *('num_sample_positions', 'out_of_bound_opt'),
    ),
    UniformSample: ('clip_len', 'num_clips'),
    UniformSampleFrames: ('clip_len', 'num_clips', 'seed'),
    SampleWindows: ('clip_len', 'num_clips', 'num_views'),
    SampleSegments: ('clip_len', 'num_clips'),
    SampleDenseClips: ('clip_len', 'frame_interval', 'num_clips', 'target_fps'),
}
_CROPS = {
    CenterCrop: ('center_crop', 1),
    ThreeCrop: ('three_crops', 3),
    TenCrop: ('ten_crops', 10),
}
# The transforms that are understood, in the order in which they have to come.
_STAGES = (
    (DecordInit, StrictDecordInit, StrictPyAVInit, OpenCVInit),
    tuple(_SAMPLERS),
    (DecordDecode, OpenCVDecode, RawFrameDecode),
    (Resize, *_CROPS),
    (FormatShape,),
    (PackActionInputs,),
)
_KNOWN = [kind for stage in _STAGES for kind in stage]


class Preparation(NamedTuple):
    """How the input of a network is made from a video.

    Attributes:
        sampling: The sampler and its arguments, see :class:`~mmtemporal.export.View`.
        steps: What is done to each frame, in the same way.
        frames: Number of frames that are sampled, in all clips together.
        crops: Number of crops of each of them.
        layout: ``input_format`` of ``FormatShape``.
    """

    sampling: dict
    steps: list[dict]
    frames: int
    crops: int
    layout: str


def read_preparation(pipeline: Sequence[dict]) -> Preparation:
    """Read what a test pipeline does, and refuse what is not understood in full.

    Args:
        pipeline: ``test_pipeline`` of a config.

    Raises:
        ValueError: A transform is unknown, random, lazy or misplaced, or cannot be
            built. The message names it and what to change.
    """
    transforms = [_build(key, step) for key, step in walk(pipeline)]
    _check_order(transforms)
    # A pipeline for folders of frames may begin with the sampler.
    by_stage = [[x for x in transforms if type(x) in kinds] for kinds in _STAGES]
    openers, (sampler,), (decoder,), pictures, (layout,), (packing,) = by_stage
    _check_decoder(decoder)
    if layout.collapse or layout.input_format not in ('NCHW', 'NCTHW'):
        _refuse(layout, "input_format='NCHW' or 'NCTHW' and collapse=False")
    if packing.collect_keys is not None:
        _refuse(packing, 'collect_keys=None')
    _check_sampler(sampler)
    sampling = dict(
        sampler=type(sampler).__name__,
        **{name: getattr(sampler, name) for name in _SAMPLERS[type(sampler)]},
        # OpenCV's does not say how many frames a second has.
        reads_fps=any(isinstance(opener, DecordInit) for opener in openers),
    )
    steps, crops, size = [], 1, None
    for picture in pictures:
        steps.append(_describe(picture, size))
        crops *= _CROPS.get(type(picture), (None, 1))[1]
        size = size_after(_as_config(picture), size)
    frames = sampler.clip_len * _count_clips(sampler)
    return Preparation(sampling, steps, frames, crops, layout.input_format)


# ------------------------------------------------------------------ transforms


def _build(key: str, step: dict) -> Any:
    kind = step.get('type')
    found = kind if isclass(kind) else TRANSFORMS.get(str(kind))
    # Not by name: a transform of one's own may bear that of a stock one.
    if found not in _KNOWN:
        known = ', '.join(kind.__name__ for kind in _KNOWN)
        raise ValueError(
            f'{key}.type={type_name(kind)!r} cannot be written to a file that runs '
            f'without it; take it out of the pipeline, known are {known}'
        )
    arguments = {name: value for name, value in step.items() if name != 'type'}
    try:
        return found(**arguments)
    except Exception as error:
        raise ValueError(
            f'{key}, {found.__name__}, cannot be built: {type(error).__name__}: {error}'
        ) from error


def _check_order(transforms: list) -> None:
    stages = [
        next(i for i, kinds in enumerate(_STAGES) if type(x) in kinds)
        for x in transforms
    ]
    # One of each, but any number of resizes and crops; folders are not opened.
    once = [stage for stage in stages if stage != 3]
    opened = [] if RawFrameDecode in map(type, transforms) else [0]
    if stages != sorted(stages) or once != [*opened, 1, 2, 4, 5]:
        raise ValueError(
            f'test_pipeline is {", ".join(type(x).__name__ for x in transforms)}; '
            'expected one DecordInit (none for folders of frames), one sampler, one '
            'decoder, any number of Resize and crops, FormatShape and '
            'PackActionInputs, in this order'
        )


def _check_decoder(decoder: Any) -> None:
    if getattr(decoder, 'mode', 'accurate') != 'accurate':
        _refuse(decoder, "mode='accurate'")
    # It would be the backend of Resize too, which then is another filter.
    if getattr(decoder, 'decoding_backend', 'cv2') != 'cv2':
        _refuse(decoder, "decoding_backend='cv2'")


def _check_sampler(sampler: Any) -> None:
    if not sampler.test_mode:
        _refuse(sampler, 'test_mode=True, because training takes random frames')
    if getattr(sampler, 'temporal_jitter', False):
        _refuse(sampler, 'temporal_jitter=False, because it moves frames at random')
    if getattr(sampler, 'random_views', False):
        _refuse(
            sampler,
            'random_views=False, which takes as many evenly shifted views, because '
            'random ones are others in each run',
        )
    if getattr(sampler, 'seed', 0) is None:
        _refuse(sampler, 'a seed, because it takes random frames')
    several = type(sampler) is SampleFrames and sampler.clip_len > 1
    if several and sampler.twice_sample and sampler.num_clips == 1:
        _refuse(sampler, 'twice_sample=False, because one clip cannot be taken twice')


def _count_clips(sampler: Any) -> int:
    if type(sampler) is SampleFrames:
        return sampler.num_clips * (2 if sampler.twice_sample else 1)
    if type(sampler) is DenseSampleFrames:
        return sampler.num_clips * sampler.num_sample_positions
    return sampler.num_clips * getattr(sampler, 'num_views', 1)


# -------------------------------------------------------------------- pictures


def _describe(picture: Any, size: Optional[tuple[int, int]]) -> dict:
    """Return the plain form of a resize or crop of frames of a size, if known."""
    if getattr(picture, 'lazy', False):
        _refuse(picture, 'lazy=False, and no Fuse')
    if isinstance(picture, Resize):
        return _describe_resize(picture)
    width, height = picture.crop_size
    if size and (height > size[0] or width > size[1]):
        _refuse(picture, f'a crop_size within the {size[1]} x {size[0]} of the frames')
    return {_CROPS[type(picture)][0]: [width, height]}


def _describe_resize(resize: Resize) -> dict:
    if resize.interpolation != 'bilinear':
        _refuse(resize, "interpolation='bilinear'")
    if isinstance(resize.scale, float):
        if not resize.keep_ratio:
            _refuse(resize, 'a scale of (width, height) with keep_ratio=False')
        return {'scale': resize.scale}
    if not resize.keep_ratio:
        if not all(isfinite(side) and side > 0 for side in resize.scale):
            _refuse(resize, 'a scale of (width, height) with keep_ratio=False')
        return {'resize': [*resize.scale]}
    long, short = max(resize.scale), min(resize.scale)
    if short <= 0:
        _refuse(resize, 'a scale of positive sides, of which one may be -1')
    return {'fit': [None if long == inf else long, short]}


def _as_config(picture: Any) -> dict:
    names = ('scale', 'keep_ratio', 'crop_size')
    own = {name: getattr(picture, name) for name in names if hasattr(picture, name)}
    return dict(type=type(picture), **own)


def _refuse(transform: Any, expected: str) -> None:
    raise ValueError(
        f'test_pipeline has {transform!r}, which cannot be written to a file that '
        f'runs without it; expected {expected}'
    )
