"""Every registered backbone in a small size, in the recognizer of its config."""

from dataclasses import dataclass, field
from inspect import isclass

import torch
import torch.nn.functional as F
from parity import build_recognizer
from torch import nn

from mmtemporal.models.backbones import TemporalResNet
from mmtemporal.models.frame_counts import TemporalBackbone
from mmtemporal.registry import MODELS

T = 8


@dataclass
class Case:
    """How a backbone is tested, whose shipped config is ``config``."""

    config: str
    # What makes it small, and the width of its features then.
    small: dict = field(default_factory=lambda: dict(depth=18))
    width: int = 512
    # Frames that it takes for each of the T of a clip, and gives.
    frames: int = 1
    rows: float = 1
    # Least side of the frames.
    size: int = 32
    # The argument that says which stages are temporal.
    stages: tuple = ('temporal_stages',)
    # Whether its recognizer takes (3, t, h, w).
    is_3d: bool = False
    # The network around which it is, and which takes most arguments.
    host: dict = field(default_factory=dict)


CONVNEXT = dict(
    arch=dict(_delete_=True, depths=[1, 1, 2, 1], channels=[32, 64, 128, 256]),
    drop_path_rate=0,
)
CONVNEXT_V2 = dict(CONVNEXT, arch=dict(CONVNEXT['arch'], head_dim=16))

# Registered name of the backbone -> case. A backbone without one fails.
CASES = {
    'TANet': Case('tanet_r50'),
    'TIN': Case('tin_r50'),
    'TDN': Case(
        'tdn_r50', frames=5, size=40, stages=('long_term_stages', 'shift_stages')
    ),
    'TAda2D': Case('tada2d_r50', is_3d=True),
    'TAdaConvNeXt': Case(
        'tadaconvnext_tiny', CONVNEXT, width=256, rows=0.5, is_3d=True
    ),
    'TAdaConvNeXtV2': Case(
        'tadaconvnextv2_tiny', CONVNEXT_V2, width=256, rows=0.5, is_3d=True
    ),
    'TemporalAdapter': Case(
        'tanet_r50',
        dict(
            _delete_=True,
            type='mmtemporal.TemporalAdapter',
            temporal=dict(type='TAM'),
        ),
        host=dict(type='ResNet', depth=18),
    ),
}
BACKBONES = sorted(
    name
    for name, value in MODELS.module_dict.items()
    if isclass(value) and issubclass(value, TemporalBackbone)
)
RESNETS = [n for n in BACKBONES if issubclass(MODELS.get(n), TemporalResNet)]


def build(name, head=True, **backbone):
    """Builds the shipped recognizer in a small size, with T segments."""
    torch.manual_seed(0)
    case = CASES[name]
    num_segments = backbone.pop('num_segments', T)
    if case.host:
        backbone = dict(backbone={**case.host, **backbone})
    backbone = {**case.small, 'num_segments': num_segments, **backbone}
    if head:
        head = dict(num_classes=6, in_channels=case.width, dropout_ratio=0)
        if not case.is_3d:
            head['num_segments'] = num_segments
    model = build_recognizer(
        case.config, backbone=backbone, cls_head=head if head else None
    )
    return wake(model)


def wake(model):
    """Moves what starts at zero, so that every branch has an effect."""
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
    """Returns a batch as the recognizer of the shipped config takes it."""
    case = CASES[name]
    h, w = size or (case.size, case.size)
    if case.is_3d:
        return torch.randn(n, 1, 3, t, h, w, dtype=dtype)
    return torch.randn(n, t * case.frames, 3, h, w, dtype=dtype)


def frames(name, n=2, size=None, dtype=torch.float32):
    """Returns frames as a 2-D recognizer gives them to the backbone."""
    case = CASES[name]
    size = size or case.size
    return torch.randn(n * T * case.frames, 3, size, size, dtype=dtype)


def gradients(model, x):
    """Returns scores, and the gradient of every parameter, by name."""
    model.zero_grad()
    y = scores(model, x)
    F.cross_entropy(y, torch.arange(len(y))).backward()
    return y.detach(), {k: p.grad.clone() for k, p in model.named_parameters()}


def temporal_stages(name, *stages):
    return {argument: stages for argument in CASES[name].stages}


def is_norm(module, *kinds):
    return isinstance(module, kinds or (nn.BatchNorm1d, nn.BatchNorm2d))
