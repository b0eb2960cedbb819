"""The temporal adapter around networks of MMAction2, timm, torchvision, mmpretrain."""

from copy import deepcopy
from functools import lru_cache

import pytest
import torch
from adapted_networks import TSM, WRAPPED, scores
from backbone_libraries import import_or_skip
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint, save_checkpoint
from selection import slow_but
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmtemporal.models.layers import (
    ConvRouting,
    TemporalShift,
)
from mmtemporal.models.layers.temporal_interlace import OffsetNet

# Of frames and of clips, of convolutions and of tokens, and of each library.
QUICK = (
    *('ResNet', 'MobileNetV2', 'ResNet3dSlowOnly', 'X3D', 'SwinTransformer3D'),
    *('timm.convnext_atto', 'timm.vit_tiny_patch16_224', 'timm.resnet10t'),
    *('torchvision.shufflenet_v2_x0_5', 'mmpretrain.ResNet', 'mmpretrain.MobileOne'),
)
QUICK_WRAPPED = [wrapped for wrapped in WRAPPED if wrapped.name in QUICK]


# One wrapped after the other, so that few are kept at a time.
@pytest.fixture(scope='module', params=slow_but(QUICK_WRAPPED, WRAPPED), ids=str)
def wrapped(request):
    library, _, name = request.param.name.rpartition('.')
    if library:
        import_or_skip('mmpretrain.models' if library == 'mmpretrain' else library)
    return request.param


@lru_cache(maxsize=4)
def _build(name, kind):
    wrapped = next(wrapped for wrapped in WRAPPED if wrapped.name == name)
    backbone = dict(type=wrapped.name, **wrapped.options)
    if kind != 'bare':
        changes = dict(wrapped.adapter, temporal=wrapped.temporal)
        if kind == 'TemporalShift':
            changes['temporal'] = TSM
        elif kind != 'own':
            changes = dict(temporal=dict(type=kind))
        backbone = dict(
            type='mmtemporal.TemporalAdapter',
            backbone=backbone,
            num_segments=wrapped.t,
            **changes,
        )
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(
            dict(
                type='Recognizer3D' if wrapped.is_3d else 'Recognizer2D',
                backbone=deepcopy(backbone),
                cls_head=dict(
                    num_classes=5,
                    in_channels=wrapped.width,
                    dropout_ratio=0,
                    **wrapped.head,
                ),
                data_preprocessor=dict(
                    type='ActionDataPreprocessor',
                    mean=[127.5] * 3,
                    std=[50.0] * 3,
                    format_shape='NCTHW' if wrapped.is_3d else 'NCHW',
                ),
            )
        )


def build(wrapped, kind='own'):
    """Build a recognizer of a wrapped backbone, 'bare' or with temporal layers."""
    model = deepcopy(_build(wrapped.name, kind))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, OffsetNet):
                # So that one of its few ReLUs is alive.
                module.fc1.bias.fill_(1)
        # What starts at zero moves, so that every branch has an effect.
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)
            elif (parameter.abs() <= 1e-5).all():  # layer scales
                parameter.fill_(0.5)
    return model


def build_trained(wrapped):
    """Build a stock recognizer whose batch norms have statistics."""
    model = build(wrapped, 'bare').double()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = None  # all of the first batch
    with torch.no_grad():
        model(clips(wrapped))
    return model


def clips(wrapped):
    """Return two clips as the recognizer takes them."""
    x = torch.randn(2, wrapped.t, 3, wrapped.size, wrapped.size, dtype=torch.float64)
    return x.transpose(1, 2).unsqueeze(1) if wrapped.is_3d else x


def test_layers_that_are_identities_change_nothing(wrapped):
    stock, x = build_trained(wrapped), clips(wrapped)
    expected = scores(stock, x)
    for kind in wrapped.identities:
        model = build(wrapped, kind).double()
        model.load_state_dict(stock.state_dict(), strict=False)
        for module in model.modules():
            if isinstance(module, ConvRouting):
                module.init_identity()
            elif isinstance(module, TemporalShift):
                nn.init.dirac_(module.conv.weight, module.conv.groups)
        torch.testing.assert_close(scores(model, x), expected, rtol=1e-9, atol=1e-12)


def test_frames_of_a_clip_mix_and_clips_do_not(wrapped):
    stock, model, x = build_trained(wrapped), build(wrapped).double(), clips(wrapped)
    model.load_state_dict(stock.state_dict(), strict=False)
    y = scores(model, x)
    assert (y - scores(stock, x)).abs().max() > 1e-6
    # For 2-D wrapped backbones, this is nothing but a test of the layers.
    reverse = scores(model, x.flip(3 if wrapped.is_3d else 1))
    assert (y - reverse).abs().max() > 1e-6
    x[1] = torch.randn_like(x[1])
    changed = scores(model, x)
    assert not torch.equal(changed[1], y[1])
    torch.testing.assert_close(changed[0], y[0], rtol=1e-9, atol=1e-12)


def test_a_stock_training_iteration_reaches_every_parameter(wrapped):
    model = build(wrapped).double().train()
    reached = set()
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    before = {
        name: value.clone()
        for name, value in model.named_parameters()
        if name not in frozen
    }
    for name, parameter in model.named_parameters():
        if name in before:
            parameter.register_hook(
                lambda grad, name=name: reached.add(name) if grad.any() else None
            )
    shape = clips(wrapped).shape[1:]
    batch = dict(
        inputs=[torch.randint(256, shape, dtype=torch.uint8) for _ in range(2)],
        data_samples=[ActionDataSample().set_gt_label(label) for label in (0, 1)],
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        wrapper = build_optim_wrapper(model, dict(optimizer=dict(type='SGD', lr=1.0)))
    losses = model.train_step(batch, wrapper)
    assert losses['loss'].isfinite()
    unused = tuple(f'backbone.backbone.{name}.' for name in wrapped.unused)
    assert bool(frozen) == bool(unused)
    assert all(name.startswith(unused) for name in frozen)
    missed = before.keys() - reached
    # A batch norm behind it takes off the bias of a routing's first layer, and those
    # of a long-term module, of which only rounding is left.
    biases = ('routing.a.bias', 'pooled_bn.bias', 'full_bn.bias')
    assert all(name.endswith(biases) for name in missed), missed
    now = dict(model.named_parameters())
    moved = [name for name, value in before.items() if not now[name].equal(value)]
    assert any(name.startswith('backbone.backbone.') for name in moved)


def test_weights_of_the_host_load_under_its_own_names(wrapped, tmp_path):
    file = str(tmp_path / 'x.pth')
    stock, model = build(wrapped, 'bare'), build(wrapped)
    for source, target, rename in (
        (stock, model, lambda name: name.replace('backbone.', 'backbone.backbone.', 1)),
        (stock.backbone, model.backbone, 'backbone.{}'.format),
    ):
        state = source.state_dict()
        save_checkpoint(dict(state_dict=state), file)
        state = {rename(name): value for name, value in state.items()}
        with torch.no_grad():
            for parameter in target.parameters():
                parameter.add_(1)
        before = deepcopy(target.state_dict())
        load_checkpoint(target, file)
        for name, value in target.state_dict().items():
            expected = state.pop(name, before[name])
            if expected.shape != value.shape:
                expected = expected.sum(2, keepdim=True)  # at temporal convolutions
            assert torch.equal(value, expected), name
        assert not state


def test_checkpoints_round_trip(wrapped, tmp_path):
    file = str(tmp_path / 'x.pth')
    model, other = build(wrapped), build(wrapped)
    state = model.state_dict()
    save_checkpoint(dict(state_dict=state), file)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    load_checkpoint(other, file, strict=True)
    assert other.state_dict().keys() == state.keys()
    for name, value in other.state_dict().items():
        assert torch.equal(value, state[name]), name
