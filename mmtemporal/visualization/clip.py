"""Videos as a recognizer sees them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
import torch
from mmaction.models.recognizers import Recognizer3D
from mmengine import Config
from torch import Tensor, nn

from mmtemporal.datasets.input_shape import clip_length as length
from mmtemporal.datasets.input_shape import walk
from mmtemporal.datasets.read_video import read_video
from mmtemporal.models.frame_counts import clip_length
from mmtemporal.models.layers.temporal_layer import temporal_layers

from .recording import Record, find, record


@dataclass
class Clip:
    """A video, and what a network computed for it.

    Attributes:
        title: Name of the video, and what it was recognised as.
        frames: Those that were sampled, (t, h, w, 3), uint8. Of TDN's windows the
            frames in the middle.
        data: The input of the model, a batch of one.
        records: What the layers computed.
        views: How many views the pipeline made, of which this is the first.
    """

    title: str
    frames: Tensor
    data: dict
    records: list[Record]
    views: int


def look_at(
    model: nn.Module, video: Path, class_names: Optional[list[str]] = None
) -> Clip:
    """Run a recognizer on a video and record what its temporal layers compute.

    Args:
        model: Recognizer in eval mode, with its config as ``cfg``, as
            ``init_recognizer`` makes it.
        video: The file.
        class_names: Names of the classes, instead of numbers.

    Raises:
        ValueError: The video cannot be read, or the network has no temporal layers.
    """
    if not any(layer.records for _, layer in temporal_layers(model)):
        raise ValueError(
            'the model has no layer that can be drawn, as no temporal layer is in it'
        )
    data, frames, views = first_view(model, read_video(model.cfg, video))
    with torch.no_grad(), record(model) as records:
        (result,) = model.test_step(data)
    label = int(result.pred_score.argmax())
    name = class_names[label] if class_names else f'class {label}'
    return Clip(f'{video.stem}: {name}', frames, data, records, views)


def collect(
    clips: list[Clip],
    value: str,
    layers: Optional[list[str]] = None,
    stages: Optional[int] = None,
) -> dict[str, list[np.ndarray]]:
    """Gather a recorded value: label of the layer -> an array for each clip.

    Args:
        clips: The clips, seen by the same model.
        value: Name of the value.
        layers: See :func:`~mmtemporal.visualization.recording.find`.
        stages: In the same way.
    """
    columns = [find(clip.records, value, layers, stages) for clip in clips]
    return {
        entries[0].label: [e.values[value][0].float().cpu().numpy() for e in entries]
        for entries in zip(*columns)
    }


def recorded_by(clips: list[Clip], *values: str) -> str:
    """Return the names of the classes of layers that recorded values, for titles."""
    found = [entry for value in values for entry in find(clips[0].records, value)]
    return ', '.join(dict.fromkeys(entry.kind for entry in found))


def first_view(model: nn.Module, data: dict) -> tuple[dict, Tensor, int]:
    """Return the first view of an input, the frames in it and the number of views.

    Args:
        model: The recognizer.
        data: A batch of one video, of ``read_video``.

    Shape:
        - frames: (t, h, w, 3), uint8
    """
    (inputs,) = data['inputs']
    rows = _rows_of_a_view(model, inputs)
    view = inputs[:rows]
    return {**data, 'inputs': [view]}, _frames(model, view), len(inputs) // rows


def _rows_of_a_view(model: nn.Module, inputs: Tensor) -> int:
    if isinstance(model, Recognizer3D):
        return 1
    window = _window(model) if inputs.dim() == 4 else 1
    # Networks of others take any number of frames: those of the sampler are one view.
    frames = clip_length(model.backbone) or _sampled(model.cfg) or len(inputs)
    return frames * window


def _sampled(cfg: Config) -> int:
    """Return how many frames the sampler takes; 0 if there is not one sampler."""
    steps = [step for _, step in walk(cfg.get('test_pipeline', []))]
    counts = [n * step.get('num_clips', 1) for step in steps if (n := length(step))]
    return counts[0] if len(counts) == 1 else 0


def _window(model: nn.Module) -> int:
    """Return the number of frames of a segment."""
    return getattr(model.backbone, 'frames_per_segment', 1)


def _frames(model: nn.Module, inputs: Tensor) -> Tensor:
    """Return the frames (t, h, w, 3) in one view of an input."""
    middle = _window(model) // 2
    if isinstance(model, Recognizer3D):
        frames = inputs[0].transpose(0, 1)  # (1, 3, t, h, w)
    elif inputs.dim() == 5:
        frames = inputs[:, :, middle]  # (t, 3, k, h, w)
    else:
        frames = inputs[middle :: _window(model)]  # (t * k, 3, h, w)
    return frames.permute(0, 2, 3, 1)
