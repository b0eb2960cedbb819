"""Every registered backbone in a small size, in the recognizer of its config."""

import sys
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache
from inspect import isclass

import torch
import torch.nn.functional as F
from parity import CONFIGS, build_recognizer
from selection import slow_but
from torch import nn

from mmtemporal.models.backbones import TemporalResNet
from mmtemporal.models.frame_counts import TemporalBackbone
from mmtemporal.networks import NETWORKS, Network
from mmtemporal.registry import MODELS

sys.path.insert(0, str(CONFIGS.parent / 'examples'))
MODELS.get('motion_excitation.MotionResNet')  # as a user's config names it

T = 8


# The networks of the package, the other form of one, and those of a user.
CASES = {
    **NETWORKS,
    'MotionResNet': Network(
        'tanet_r50', small=dict(type='motion_excitation.MotionResNet', depth=18)
    ),
    'TAdaFormer of form S': replace(
        NETWORKS['TAdaFormer'], config='tadaformer_base_sthv2'
    ),
    'TemporalAdapter of MotionExcitation': replace(
        NETWORKS['TemporalAdapter'],
        small=dict(
            NETWORKS['TemporalAdapter'].small,
            temporal=dict(type='motion_excitation.MotionExcitation'),
        ),
    ),
}
BACKBONES = sorted(CASES)
# The quick tests have those of the package.
PARAMS = slow_but(NETWORKS, BACKBONES)
REGISTERED = {
    name: value
    for name, value in MODELS.module_dict.items()
    if isclass(value) and issubclass(value, TemporalBackbone)
}
RESNETS = [n for n, c in REGISTERED.items() if issubclass(c, TemporalResNet)]


def build(name, head=True, num_segments=T, **backbone):
    """Build the shipped recognizer in a small size."""
    if not head or backbone:
        return _build(name, head, num_segments, **backbone)
    model, state = _build_once(name, num_segments)
    torch.set_rng_state(state)  # as if it had been built now
    return deepcopy(model)


@lru_cache(maxsize=len(CASES))
def _build_once(name, num_segments):
    return _build(name, True, num_segments), torch.get_rng_state()


def _build(name, head, num_segments, **backbone):
    torch.manual_seed(0)
    case = CASES[name]
    if case.wrapped:
        backbone = dict(backbone={**case.wrapped, **backbone})
    backbone = {**case.small, 'num_segments': num_segments, **backbone}
    if head:
        head = dict(num_classes=6, in_channels=case.width, dropout_ratio=0)
        if not case.takes_clips:
            head['num_segments'] = num_segments
    model = build_recognizer(
        case.config, backbone=backbone, cls_head=head if head else None
    )
    return wake(model)


def wake(model):
    """Move what starts at zero, so that every branch has an effect."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)
            elif (parameter.abs() <= 1e-5).all():  # layer scales
                parameter.fill_(0.5)
    return model


def scores(model, x):
    return model(x, stage='head')


def clips(name, n=2, size=None, dtype=torch.float32, t=T):
    """Return a batch as the recognizer of the shipped config takes it.

    Sizes are rounded down to whole patches.
    """
    case = CASES[name]
    size = size or (case.min_size, case.min_size)
    h, w = (side - side % (case.patch or 1) for side in size)
    if case.takes_clips:
        return torch.randn(n, 1, 3, t, h, w, dtype=dtype)
    return torch.randn(n, t * case.window, 3, h, w, dtype=dtype)


def frames(name, n=2, size=None, dtype=torch.float32):
    """Return frames as a 2-D recognizer gives them to the backbone."""
    case = CASES[name]
    size = size or case.min_size
    return torch.randn(n * T * case.window, 3, size, size, dtype=dtype)


def gradients(model, x):
    """Return scores, and the gradient of every parameter, by name."""
    model.zero_grad()
    y = scores(model, x)
    F.cross_entropy(y, torch.arange(len(y))).backward()
    return y.detach(), {k: p.grad.clone() for k, p in model.named_parameters()}


def temporal_stages(name, *stages):
    return {argument: stages for argument in CASES[name].stage_options}


def is_norm(module, *kinds):
    return isinstance(module, kinds or (nn.BatchNorm1d, nn.BatchNorm2d))
