"""Parts of a config that have to fit each other, checked before a run."""

from collections.abc import Iterator
from math import prod

from mmaction.evaluation import AccMetric
from mmaction.models.recognizers import Recognizer2D
from mmengine.dataset import Compose
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch import nn

from mmtemporal.datasets.annotations import get_parts
from mmtemporal.datasets.transforms import FramesToWindows
from mmtemporal.models.frame_counts import TemporalBackbone
from mmtemporal.registry import HOOKS

# Those of AccMetric that take one label for each video.
_SINGLE_LABEL = {'top_k_accuracy', 'mean_class_accuracy'}


@HOOKS.register_module()
class CheckConfigHook(Hook):
    """Check samplers against the backbone, and metrics against the head.

    In testing, a recognizer takes any multiple of ``num_segments`` frames for several
    views of a video. That is right behind ``twice_sample`` and ``ThreeCrop``; but
    ``num_clips=25`` and a backbone of 5 segments would score five parts of the video,
    each by itself, and nothing in a batch tells one from the other. So this hook
    looks at the samplers.

    Metrics for one label for each video fail on a head for several after the first
    epoch; this hook refuses them before it.

    ::

        default_hooks = dict(config=dict(type='mmtemporal.CheckConfigHook'))

    Raises:
        ValueError: When run, if something does not fit.
    """

    def before_train(self, runner: Runner) -> None:
        self._check(runner, runner.train_loop)
        if runner.val_loop is not None:
            self._check(runner, runner.val_loop)

    def before_val(self, runner: Runner) -> None:
        self._check(runner, runner.val_loop)

    def before_test(self, runner: Runner) -> None:
        self._check(runner, runner.test_loop)

    def _check(self, runner: Runner, loop: BaseLoop) -> None:
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        if isinstance(getattr(model, 'backbone', None), TemporalBackbone):
            for dataset in get_parts(loop.dataloader.dataset):
                check_samplers(model, dataset.pipeline)
        if hasattr(loop, 'evaluator'):
            check_metrics(model, loop.evaluator.metrics)


def check_samplers(recognizer: nn.Module, pipeline: Compose) -> None:
    """Check that a pipeline samples clips of the length that a backbone takes.

    Raises:
        ValueError: It does not.
    """
    backbone = recognizer.backbone
    t, window = backbone.num_segments, getattr(backbone, 'frames_per_segment', 1)
    if t is None:
        _check_clips(recognizer, pipeline)
        return
    widened = [
        transform.window
        for transform in pipeline.transforms
        if isinstance(transform, FramesToWindows)
    ]
    for sampler in _samplers(pipeline):
        length, clips = sampler.clip_len, getattr(sampler, 'num_clips', 1)
        length *= prod(widened)
        # Every clip of a sampler is a whole view, or all together are one.
        fits = length == t * window
        if isinstance(recognizer, Recognizer2D):
            # Neighbours of a window are neighbours in time.
            fits |= length % window == 0 and length * clips == t * window
        if not fits:
            name = type(sampler).__name__
            wanted = f'num_clips={t}' if length == window else f'clip_len={t}'
            if window > 1:
                wanted = f'clip_len={window} and num_clips={t}'
            raise ValueError(
                f'{name} with clip_len={length} and num_clips={clips} does not sample '
                f'views of backbone.num_segments={t}'
                f'{f" windows of {window} frames" if window > 1 else ""}; set {wanted} '
                'in it (in testing, more views come from twice_sample=True, '
                'num_sample_positions, ThreeCrop or TenCrop), or '
                'backbone.num_segments and cls_head.num_segments to what it samples'
            )


def _check_clips(recognizer: nn.Module, pipeline: Compose) -> None:
    """Check that a network for clips of any length does not see single frames."""
    for sampler in _samplers(pipeline):
        # Frames of a 2-D recognizer are refused by the backbone.
        if sampler.clip_len == 1 and not isinstance(recognizer, Recognizer2D):
            raise ValueError(
                f'{type(sampler).__name__} with clip_len=1 and num_clips='
                f'{getattr(sampler, "num_clips", 1)} samples single frames, each of '
                'which would be a clip for backbone.num_segments=None; set clip_len in '
                'it to the number of frames of a clip'
            )


def _samplers(pipeline: Compose) -> Iterator:
    for transform in pipeline.transforms:
        if hasattr(transform, 'transforms'):
            inner = transform.transforms
            yield from _samplers(inner if isinstance(inner, Compose) else transform)
        elif hasattr(transform, 'clip_len'):
            yield transform


def check_metrics(recognizer: nn.Module, metrics: list) -> None:
    """Check that metrics take the labels of a head.

    Raises:
        ValueError: The head is for several labels a video, a metric for one.
    """
    if not getattr(getattr(recognizer, 'cls_head', None), 'multi_class', False):
        return
    for metric in metrics:
        single = isinstance(metric, AccMetric) and _SINGLE_LABEL & {*metric.metrics}
        if single:
            raise ValueError(
                f'cls_head.multi_class=True gives videos several labels, but '
                f'{sorted(single)} of AccMetric are for one; set '
                'val_evaluator.metric_list and test_evaluator.metric_list to '
                "('mean_average_precision', 'mmit_mean_average_precision')"
            )
