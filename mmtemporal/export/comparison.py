"""Whether an exported network gives the scores that PyTorch gives."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmtemporal.datasets.input_shape import input_shape
from mmtemporal.datasets.read_video import read_video

from .clip_scores import (
    ClipScores,
    averages_features,
    check_rows,
    random_views,
    split_views,
)
from .view import View

# In units of the largest score, or of 1 if that is smaller.
TOLERANCE = 1e-4


class Sample(NamedTuple):
    """Views, and the scores that PyTorch gives for them.

    Attributes:
        frames: The views, as the exported network takes them.
        scores: What it should return.
    """

    frames: Tensor
    scores: Tensor


def noise_sample(reference: ClipScores, view: View) -> Sample:
    """Return three random views with their scores.

    Raises:
        ValueError: The scores are not finite, or not one row for each view.
    """
    frames = random_views(3, view.shape, not reference.normalise)
    with torch.no_grad():
        scores = reference(frames)
    check_rows(scores, len(frames), view.frames)
    if not scores.isfinite().all():
        raise ValueError(
            'the scores of the model itself are not finite for random frames; its '
            'weights, or mean and std of model.data_preprocessor, are not usable'
        )
    return Sample(frames, scores)


def with_averaging(reference: ClipScores, view: View, frames: Tensor) -> View:
    """Return a view that says how the recognizer averages over several."""
    if view.views == 1:
        return view
    with torch.no_grad():
        before_softmax = averages_features(reference, frames[:2])
    return dataclasses.replace(view, average_clips='score') if before_softmax else view


def video_sample(model: nn.Module, video: Path, normalise: bool) -> Sample:
    """Read a video by the test pipeline, and score each of its views."""
    frames, inputs = _read(model, video, normalise)
    with torch.no_grad():
        # One view at a time: thirty of them would take gigabytes.
        rows = inputs.split(input_shape(model.cfg)[0], 1)
        scores = torch.cat([model(row, stage='head') for row in rows])
    return Sample(frames, scores)


def read_views(model: nn.Module, video: Path, normalise: bool) -> Tensor:
    """Read a video by the test pipeline, and return its views without scores."""
    return _read(model, video, normalise)[0]


def _read(model: nn.Module, video: Path, normalise: bool) -> tuple[Tensor, Tensor]:
    """Return what an exported network takes of a video, and what the model takes."""
    data = read_video(model.cfg, video)
    pixels = data['inputs'][0]
    inputs = model.data_preprocessor(data)['inputs']
    frames = split_views(pixels if normalise else inputs[0], input_shape(model.cfg))
    if model.data_preprocessor.to_rgb and not normalise:
        frames = frames.flip(2)  # the file takes RGB
    return frames, inputs


class Outcome(NamedTuple):
    """What an exported network returned for a sample, and should return."""

    scores: Tensor
    expected: Tensor


def run_all(
    run: Callable[[Tensor], Tensor], groups: dict[str, list[Sample]]
) -> dict[str, list[Outcome]]:
    """Run an exported network on all samples of all groups."""
    return {
        name: [Outcome(run_in_batches(run, x), scores) for x, scores in samples]
        for name, samples in groups.items()
    }


def compare(outcomes: list[Outcome]) -> str:
    """Say how much an exported network differs."""
    scores, expected = map(torch.cat, zip(*outcomes))
    same = (scores.argmax(1) == expected.argmax(1)).sum()
    return (
        f'by {(scores - expected).abs().max():.1e} at most, where scores reach '
        f'{expected.abs().max():.1f}; same first class in {same} of {len(scores)} views'
    )


def run_in_batches(run: Callable[[Tensor], Tensor], frames: Tensor) -> Tensor:
    """Run one view, and then two at a time: the batch must be free."""
    batches = [frames[:1], *(frames[i : i + 2] for i in range(1, len(frames), 2))]
    with torch.no_grad():
        return torch.cat([run(batch) for batch in batches])


def demand_equality(groups: dict[str, list[Outcome]]) -> None:
    """Raise a ValueError if scores differ by more than ``TOLERANCE`` from PyTorch's.

    Args:
        groups: Outcomes by what they are of, as the error names it.
    """
    for name, outcomes in groups.items():
        for scores, expected in outcomes:
            difference = (scores - expected).abs().max()
            limit = TOLERANCE * max(1, expected.abs().max())
            # Nothing is less than a NaN, so greater would not do.
            if not difference <= limit:
                raise ValueError(
                    f'nothing was written: for {name} the exported network differs by '
                    f'{difference:.1e} from PyTorch, allowed are {limit:.1e}'
                )
