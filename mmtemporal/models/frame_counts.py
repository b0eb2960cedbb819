"""Checks that frames of different videos do not meet.

A 2-D recognizer stacks the frames of all videos of a batch before its backbone sees
them, so a wrong number of frames a video can go unnoticed there: 32 videos of 3
frames are as many frames as 12 of 8. The recognizer itself still knows.
"""

from collections.abc import Sequence
from typing import Any, Optional

from mmaction.models.recognizers import (
    BaseRecognizer,
    Recognizer2D,
    Recognizer3D,
    RecognizerOmni,
)
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook

from mmtemporal.models.layers.temporal_layer import temporal_layers
from mmtemporal.ops.tracing import is_symbolic

_KEYS = 'num_clips in the sampler, backbone.num_segments and cls_head.num_segments'


class TemporalBackbone:
    """A mixin: what checks and Grad-CAM ask a backbone of this package.

    Attributes:
        num_segments: Number T of frames, or of TDN's windows, of a clip.
        cam_layer: Name of the module that gives the last feature maps, all of which
            have one size; '' where the output of the backbone has them.
    """

    num_segments: int
    cam_layer: str = ''

    @property
    def feature_frames(self) -> Optional[int]:
        """Return the number of frames of a clip in the features, None if unknown."""
        return self.num_segments

    def rows_of_clip(self, shape: Sequence[int]) -> int:
        """Return how many images, or windows, of such a shape are one clip."""
        return self.num_segments

    def feature_maps(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Return what a module of it gives as feature maps, such as tokens.

        Args:
            x: The output of the module.
            size: Height and width of the frames.
        """
        return x

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute; ``max_testing_views`` asks for num_segments so."""
        return getattr(self, name, default)


def check_frames(x: Tensor, in_channels: int, num_segments: int) -> None:
    """Check what a network for frames is given.

    Shape:
        - x: (n * t, c, h, w), with t = ``num_segments`` and c = ``in_channels``

    Raises:
        ValueError: It is of another shape.
    """
    if is_symbolic(x):
        return
    if x.dim() != 4:
        raise ValueError(
            f'got input of shape {tuple(x.shape)}, expected frames, (n * '
            f"{num_segments}, {in_channels}, h, w); set model.type='Recognizer2D', "
            "input_format='NCHW' in FormatShape and format_shape='NCHW' in "
            f'model.data_preprocessor, and in the sampler clip_len=1 and '
            f'num_clips={num_segments}'
        )
    check_channels(x.size(1), in_channels)
    if x.size(0) % num_segments:
        raise ValueError(
            f'got {x.size(0)} frames, not a multiple of num_segments={num_segments}; '
            f'set {_KEYS} to the same value'
        )


def check_clips(x: Tensor, in_channels: int, num_segments: Optional[int]) -> None:
    """Check what a network for clips is given.

    Shape:
        - x: (n, c, t, h, w), with t = ``num_segments``, if that is given, and c =
          ``in_channels``

    Raises:
        ValueError: It is of another shape.
    """
    if x.dim() != 5:
        t = num_segments or 't'
        raise ValueError(
            f'got input of shape {tuple(x.shape)}, expected clips, (n, {in_channels}, '
            f"{t}, h, w); set model.type='Recognizer3D', "
            "input_format='NCTHW' in FormatShape and format_shape='NCTHW' in "
            f'model.data_preprocessor, and in the sampler clip_len={t}'
        )
    check_channels(x.size(1), in_channels)
    if num_segments is not None and x.size(2) != num_segments:
        raise ValueError(
            f'got clips of {x.size(2)} frames, not num_segments={num_segments}; '
            'set clip_len in the sampler and backbone.num_segments to the same value'
        )


def check_channels(channels: int, in_channels: int) -> None:
    """Raise a ValueError if images have another number of channels."""
    if channels != in_channels:
        raise ValueError(
            f'got images of {channels} channels, expected in_channels={in_channels}; '
            'set backbone.in_channels to the number of the pipeline (3 for RGB, 2 a '
            'frame for optical flow)'
        )


def watch_recognizers() -> None:
    """Have recognizers check their input, if the backbone mixes frames by this package.

    No class of MMAction2 is changed: the recognizers get a forward pre-hook each.
    """
    register_module_module_registration_hook(_watch)


def _watch(parent: nn.Module, name: str, child: nn.Module) -> None:
    if not isinstance(parent, (BaseRecognizer, RecognizerOmni)):
        return
    if name != 'backbone' or clip_length(child) is None:
        return
    if isinstance(parent, (Recognizer2D, Recognizer3D)):
        if check_recognizer not in parent._forward_pre_hooks.values():
            parent.register_forward_pre_hook(check_recognizer, with_kwargs=True)
    else:
        raise ValueError(
            f'got model.type={type(parent).__name__}, which does not give its backbone '
            f'videos alone, but {type(child).__name__} takes clips of num_segments='
            f'{clip_length(child)} frames; expected a config of a Recognizer2D or '
            'Recognizer3D'
        )


def clip_length(backbone: nn.Module) -> Optional[int]:
    """Return the number of frames of a clip; None: frames are not mixed, or unknown.

    Layers of this package in a backbone of another, such as the convolutions that
    MMAction2 builds by ``conv_cfg``, tell it if they agree.
    """
    if isinstance(backbone, TemporalBackbone):
        return backbone.num_segments
    found = {layer.num_segments for _, layer in temporal_layers(backbone)} - {None}
    return found.pop() if len(found) == 1 else None


def check_recognizer(recognizer: nn.Module, args: tuple, kwargs: dict) -> None:
    """Check the frames of each video before they become one batch.

    Clips of 3-D recognizers are not taken apart, so that their backbone can check
    them; here it is only the parts in which views are tested.

    Raises:
        AssertionError: ``test_cfg.max_testing_views`` cuts clips; the type is that
            of MMAction2.
        ValueError: The videos do not have the frames of one clip, or, in testing, of
            one or several; or the head counts other clips than the backbone.
    """
    inputs = kwargs['inputs'] if 'inputs' in kwargs else args[0]
    mode = kwargs.get('mode', args[2] if len(args) > 2 else 'tensor')
    if not isinstance(inputs, Tensor) or inputs.dim() < 5:
        return
    backbone, frames = recognizer.backbone, isinstance(recognizer, Recognizer2D)
    t = clip = clip_length(backbone)
    if t is None:  # the backbone was replaced
        return
    if mode == 'predict':
        _check_parts(recognizer.test_cfg or {}, t if frames else 1)
    if not frames:
        return
    if isinstance(backbone, TemporalBackbone):
        clip = backbone.rows_of_clip(inputs.shape[2:])
    videos, rows = inputs.shape[:2]
    if rows % clip or (mode == 'loss' and rows != clip):
        if inputs.dim() == 6 and clip == t:
            _refuse_layout(inputs, t)
        _refuse(videos, rows, clip, t, mode)
    if recognizer.with_cls_head and isinstance(backbone, TemporalBackbone):
        _check_head(recognizer.cls_head, backbone, videos, rows // clip)


def _refuse_layout(inputs: Tensor, t: int) -> None:
    raise ValueError(
        f'got clips of shape {tuple(inputs.shape[2:])} from a Recognizer2D, expected '
        f"frames, {t} of each video; set input_format='NCHW' in FormatShape and "
        "format_shape='NCHW' in model.data_preprocessor, or, for a network that takes "
        "clips, model.type='Recognizer3D'"
    )


def _refuse(videos: int, rows: int, clip: int, t: int, mode: str) -> None:
    wanted, sampling = f'num_segments={t}', f'num_clips={t}'
    if clip != t:
        wanted += f' windows of frames_per_segment={clip // t} frames'
        sampling = f'clip_len={clip // t} and num_clips={t}'
    if rows % clip and videos * rows % clip == 0:
        wanted += f': the frames of {videos} videos make {videos * rows // clip} clips'
    if mode == 'loss':
        raise ValueError(
            f'got {rows} frames of each video, expected {wanted}; set {sampling} in '
            'the sampler, or backbone.num_segments and cls_head.num_segments to its '
            'num_clips'
        )
    raise ValueError(
        f'got {rows} frames of each video, expected one or several views of {wanted}; '
        f'set {sampling} in the sampler of test_pipeline and of the dataset of '
        'val_dataloader and test_dataloader (more views come from twice_sample=True, '
        'ThreeCrop or TenCrop), or set backbone.num_segments and '
        'cls_head.num_segments to its num_clips'
    )


def _check_head(
    head: nn.Module, backbone: TemporalBackbone, videos: int, views: int
) -> None:
    frames = backbone.feature_frames
    # Heads of MMAction2 without a number average over all that they are given.
    counted = getattr(head, 'num_segments', None)
    if not counted or not frames:
        return
    halved = 1
    if getattr(head, 'is_shift', False) and getattr(head, 'temporal_pool', False):
        halved = 2
    if counted // halved != frames:
        clips = videos * views * frames / (counted // halved)
        keys = f'cls_head.num_segments={frames * halved}'
        if frames == backbone.num_segments:
            keys += f', or {_KEYS} so that they fit'
        raise ValueError(
            f'cls_head.num_segments={counted}, but clips have {frames} frame(s) behind '
            f'the {type(backbone).__name__} with num_segments='
            f'{backbone.num_segments}: for the head the frames of {videos} videos make '
            f'{clips:g} clips; set {keys}'
        )


def _check_parts(test_cfg: dict, step: int) -> None:
    views = test_cfg.get('max_testing_views')
    if views and (not isinstance(views, int) or views < 0 or views % step):
        several = f' and a multiple of num_segments={step}' if step > 1 else ''
        raise AssertionError(
            f'got model.test_cfg.max_testing_views={views!r}, expected a positive '
            f'number{several}'
        )
