"""Fixes for mixed precision: on CPU, and in the stock heads."""

import functools
from typing import Any, Callable

import torch
from mmengine.device import get_device
from mmengine.utils import apply_to


def _say_yes() -> bool:
    """Stand in for the question whether there is a CUDA device."""
    return True


def allow_amp_on_cpu() -> bool:
    """Let ``--amp`` train on CPU, in bfloat16.

    Symptom: ``AmpOptimizerWrapper is only available training on gpu``.
    Cause: an assertion in its constructor; the autocast context it opens knows the
    CPU, and the gradient scaler of torch turns itself off, as bfloat16 needs none.
    Acts when: mmengine finds no accelerator.
    """
    if get_device() != 'cpu':
        return False
    from mmengine.optim.optimizer import amp_optimizer_wrapper

    if amp_optimizer_wrapper.is_cuda_available is _say_yes:
        return False
    amp_optimizer_wrapper.is_cuda_available = _say_yes
    return True


def _is_half(x: object) -> bool:
    return torch.is_tensor(x) and x.dtype in (torch.bfloat16, torch.float16)


def _with_float_scores(method: Callable) -> Callable:
    @functools.wraps(method)
    def wrapper(self: Any, cls_scores: Any, *args: Any, **kwargs: Any) -> Any:
        cls_scores = apply_to(cls_scores, _is_half, torch.Tensor.float)
        return method(self, cls_scores, *args, **kwargs)

    return wrapper


def cast_half_scores() -> bool:
    """Hand the stock heads float32 scores when they get half-precision ones.

    Symptom: ``Got unsupported ScalarType BFloat16`` while training with ``--amp``.
    Cause: the heads turn raw scores into numpy arrays for the top-k log, and numpy
    has no bfloat16.
    Acts when: called for the first time; scores of other types pass unchanged.
    It imports ``mmaction.models`` and is therefore no part of :func:`apply`.
    """
    from mmaction.models.heads import BaseHead, OmniHead, RGBPoseHead

    if hasattr(BaseHead.loss_by_feat, '__wrapped__'):
        return False
    for head in (BaseHead, OmniHead, RGBPoseHead):
        head.loss_by_feat = _with_float_scores(head.loss_by_feat)
    return True
