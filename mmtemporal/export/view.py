"""What one input of a network is, for programs that do not have its config."""

from dataclasses import dataclass
from typing import Optional

from mmengine import Config

from mmtemporal.datasets.input_shape import input_shape

# Samplers whose clip_len is the number of segments, a frame of each.
_ONE_PER_SEGMENT = ('UniformSample', 'SampleSegments')


@dataclass
class View:
    """How the frames of one view are found in a video.

    The video of N frames has ``segments`` windows, of ``window`` frames each, evenly
    spaced over ``span`` frames. Window i starts at ::

        start(i) = floor((N - span + 1) * (i + 1/2) / segments)

    which is where testing takes them in the pipelines of this package, up to
    rounding. The frames are resized, and cropped in the middle.

    Attributes:
        segments: Number of windows of a video.
        window: Number of frames of a window.
        span: Number of frames from the first of a window to its last.
        fps: Frames per second of the video in which ``span`` is counted, or None
            for those of the file.
        height: Height of the network's frames in pixels.
        width: Their width.
        short_side: Short side of the frames before the crop, or None if they are
            stretched to the network's size.
        mean: What is subtracted from the channels of RGB frames, or None if the
            exported network does that.
        std: What they are divided by thereafter, or None.
        average_clips: How the head averages the scores of several views: 'prob'
            after a softmax, 'score' before it.
        classes: Names of the classes, or None.
    """

    segments: int
    window: int
    span: int
    fps: Optional[float]
    height: int
    width: int
    short_side: Optional[int]
    mean: Optional[list[float]]
    std: Optional[list[float]]
    average_clips: str
    classes: Optional[list[str]] = None

    @property
    def frames(self) -> int:
        """Number of frames of a view."""
        return self.segments * self.window

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of a view, (frames, 3, h, w)."""
        return self.frames, 3, self.height, self.width


def view_of(
    cfg: Config, normalise: bool = False, classes: Optional[list[str]] = None
) -> View:
    """Reads the view of a recognizer from its config.

    Args:
        cfg: A config with a ``test_pipeline``.
        normalise: Whether the exported network normalises the frames itself.
        classes: Names of the classes.

    Raises:
        ValueError: The config is not of a recognizer, or its ``test_pipeline`` has
            no single sampler, or no fixed size.
    """
    if 'cls_head' not in cfg.model:
        raise ValueError(
            f'the model is a {cfg.model.type} without cls_head; only recognizers are '
            'exported'
        )
    *_, height, width = input_shape(cfg)
    constants = cfg.model.data_preprocessor
    outside = not normalise and 'mean' in constants
    return View(
        **_sampling(cfg),
        height=height,
        width=width,
        short_side=_short_side(cfg.test_pipeline),
        mean=[float(x) for x in constants.mean] if outside else None,
        std=[float(x) for x in constants.std] if outside else None,
        average_clips=cfg.model.cls_head.get('average_clips') or 'prob',
        classes=classes,
    )


def _sampling(cfg: Config) -> dict:
    """Describes one view of the sampler of a test pipeline."""
    sampler = next(step for step in cfg.test_pipeline if 'clip_len' in step)
    kind, fps = _kind(sampler), None
    length, clips = sampler.clip_len, sampler.get('num_clips', 1)
    if kind in _ONE_PER_SEGMENT:
        segments, window, span = length, 1, 1
    elif kind == 'SampleDenseClips':
        segments, window, span = 1, length, length * sampler.frame_interval
        fps = sampler.get('target_fps', 30)
    elif kind == 'DenseSampleFrames':
        interval = sampler.get('sample_range', 64) // clips
        segments, window, span = 1, clips, (clips - 1) * interval + 1
    else:
        # For a 3-D recognizer several clips are views, for a 2-D one segments.
        segments = 1 if cfg.model.type == 'Recognizer3D' else clips
        window, span = length, (length - 1) * sampler.get('frame_interval', 1) + 1
    return dict(segments=segments, window=window, span=span, fps=fps)


def change_frames(cfg: Config, frames: int) -> dict:
    """Returns the changes to a config that give a view another number of frames.

    They are of the form of ``--cfg-options``.

    Args:
        cfg: A config with a ``test_pipeline``.
        frames: ``num_segments`` of a 2-D recognizer, frames of a clip of a 3-D one.
    """
    changes = {}
    old = cfg.model.backbone.get('num_segments')
    if old:
        changes['model.backbone.num_segments'] = frames
        # The head of TAdaConvNeXt gets one map for all frames.
        if cfg.model.cls_head.get('num_segments') == old:
            changes['model.cls_head.num_segments'] = frames
    for i, step in enumerate(cfg.test_pipeline):
        if 'clip_len' in step:
            whole = cfg.model.type == 'Recognizer3D' or _kind(step) in _ONE_PER_SEGMENT
            key = 'clip_len' if whole else 'num_clips'
            changes[f'test_pipeline.{i}.{key}'] = frames
    return changes


def change_size(cfg: Config, size: int) -> dict:
    """Returns the changes to a config that give the network frames of another size.

    Where frames are cropped, they are resized before in the same proportion.

    Args:
        cfg: A config with a ``test_pipeline``.
        size: Height and width in pixels.
    """
    old = min(input_shape(cfg)[-2:])
    changes = {}
    for i, step in enumerate(cfg.test_pipeline):
        if 'crop_size' in step:
            changes[f'test_pipeline.{i}.crop_size'] = size
        elif step['type'] == 'Resize':
            scale = (size, size)
            if step.get('keep_ratio', True):
                scale = (-1, round(_short_side([step]) * size / old))
            changes[f'test_pipeline.{i}.scale'] = scale
    return changes


def _kind(step: dict) -> str:
    return step['type'].split('.')[-1]


def _short_side(pipeline: list[dict]) -> Optional[int]:
    """Returns the short side to which a pipeline resizes, if it keeps the ratio."""
    for step in pipeline:
        if step['type'] == 'Resize' and step.get('keep_ratio', True):
            return min(side for side in step['scale'] if side > 0)
    return None
