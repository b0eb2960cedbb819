"""What the input of a network is, for programs that do not have its config."""

from dataclasses import dataclass
from math import prod
from typing import Optional

from mmaction.models import ActionDataPreprocessor
from mmaction.models.recognizers import Recognizer2D, Recognizer3D
from mmaction.registry import MODELS
from mmengine import Config

from mmtemporal.config_types import type_name
from mmtemporal.datasets.input_shape import (
    input_format,
    input_shape,
    is_3d,
    rows_taken,
)

from .preparation import read_preparation


@dataclass
class View:
    """How the views of a video are made, as ``test_pipeline`` makes them.

    A view is what the network scores at once: a clip of a 3-D recognizer, the frames
    of all segments for a 2-D one. A pipeline that samples several clips, or crops
    three or ten parts of the frames, makes several views, and the score of the video
    is the average of theirs. ``examples/onnx_video.py`` does all this with numpy.

    The frames are sampled, then go through the steps one by one, each a dict with
    one entry. A step that makes several crops gives all frames of the first crop,
    then all of the second, and so on; so the views are consecutive groups of
    ``frames`` frames.

    ================================  ==============================================
    ``{'resize': [w, h]}``            to this size
    ``{'scale': factor}``             both sides by a factor, to the nearest integer
    ``{'fit': [long, short]}``        keeping the ratio, the largest size whose sides
                                      are at most these; long may be None, any
    ``{'center_crop': [w, h]}``       the middle
    ``{'three_crops': [w, h]}``       left, right, middle or top, bottom, middle
    ``{'ten_crops': [w, h]}``         corners and middle, each followed by its mirror
                                      image
    ================================  ==============================================

    Resizing is bilinear between the centres of pixels, without smoothing before.

    Attributes:
        sampling: Name of the ``sampler``, its arguments, and ``reads_fps``: whether
            it knows how many frames a second of the video has.
        steps: What is done to the frames, see above.
        frames: Number of frames of a view.
        views: Number of views of a video.
        height: Height of the network's frames in pixels.
        width: Their width.
        mean: What is subtracted from the channels of RGB frames, or None if the
            exported network does that.
        std: What they are divided by thereafter, or None.
        average_clips: How the scores of several views are averaged: 'prob' after a
            softmax, 'score' before it.
        classes: Names of the classes, or None.
    """

    sampling: dict
    steps: list[dict]
    frames: int
    views: int
    height: int
    width: int
    mean: Optional[list[float]]
    std: Optional[list[float]]
    average_clips: str
    classes: Optional[list[str]] = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of a view, (frames, 3, h, w)."""
        return self.frames, 3, self.height, self.width


def view_of(
    cfg: Config, normalise: bool = False, classes: Optional[list[str]] = None
) -> View:
    """Read the view of a recognizer from its config.

    Args:
        cfg: A config with a ``test_pipeline``.
        normalise: Whether the exported network normalises the frames itself.
        classes: Names of the classes.

    Returns:
        The view, from which a program makes what ``test_pipeline`` makes.

    Raises:
        ValueError: The config is not of a recognizer of RGB frames, or its
            ``test_pipeline`` does something that cannot be written down, or has no
            fixed size. The message names the transform.
    """
    _check_model(cfg)
    if 'test_pipeline' not in cfg:
        raise ValueError('the config has no test_pipeline, which prepares the frames')
    preparation = read_preparation(cfg.test_pipeline)
    if preparation.layout != input_format(cfg):
        raise ValueError(
            f'FormatShape of test_pipeline gives {preparation.layout}, but '
            f'model.data_preprocessor.format_shape={input_format(cfg)!r}; set both to '
            'what the recognizer takes'
        )
    shape = input_shape(cfg)
    # (m, 3, h, w) or (m, 3, t, h, w)
    frames = prod(shape[:-2]) // 3
    taken = None if is_3d(cfg.model) else rows_taken(cfg)
    if preparation.frames % frames or shape[0] != (taken or shape[0]):
        raise ValueError(
            f'{preparation.sampling["sampler"]} of test_pipeline samples '
            f'{preparation.frames} frames, no multiple of what the model takes; set '
            'num_clips (or clip_len) there and model.backbone.num_segments to the '
            'same value'
        )
    mean, std = _constants(cfg) if not normalise else (None, None)
    return View(
        sampling=preparation.sampling,
        steps=preparation.steps,
        frames=frames,
        views=preparation.frames * preparation.crops // frames,
        height=shape[-2],
        width=shape[-1],
        mean=mean,
        std=std,
        average_clips=cfg.model.cls_head.get('average_clips') or 'prob',
        classes=classes,
    )


def _check_model(cfg: Config) -> None:
    model = cfg.model
    kind = type_name(model.get('type'))
    if 'cls_head' not in model:
        raise ValueError(
            f'the model is a {kind} without cls_head; only recognizers are exported'
        )
    if not _is_subclass(model, Recognizer2D, Recognizer3D):
        raise ValueError(
            f'model.type={kind} is no Recognizer2D or Recognizer3D; only these are '
            'exported'
        )
    constants = model.get('data_preprocessor') or {}
    # What is omitted is the stock one.
    if 'type' in constants and not _is_subclass(constants, ActionDataPreprocessor):
        raise ValueError(
            f'model.data_preprocessor.type={type_name(constants["type"])} is no '
            'ActionDataPreprocessor, so what it does to frames is not known'
        )
    dataset = (cfg.get('test_dataloader') or {}).get('dataset', {})
    if dataset.get('modality', 'RGB') != 'RGB':
        raise ValueError(
            f'test_dataloader.dataset.modality={dataset["modality"]!r}; only networks '
            'for RGB frames are exported'
        )


def _is_subclass(cfg: dict, *kinds: type) -> bool:
    found = cfg.get('type')
    if not isinstance(found, type):
        found = MODELS.get(str(found))
    return isinstance(found, type) and issubclass(found, kinds)


def _constants(cfg: Config) -> tuple[Optional[list], Optional[list]]:
    """Return what normalises RGB frames, whichever order the model has them in."""
    constants = cfg.model.get('data_preprocessor') or {}
    if constants.get('mean') is None:
        return None, None
    order = -1 if constants.get('to_rgb') else 1
    mean, std = ([float(x) for x in constants[key]] for key in ('mean', 'std'))
    return mean[::order], std[::order]
