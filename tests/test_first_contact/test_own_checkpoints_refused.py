"""Checkpoints of one's own that do not fit."""

import re

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint, load_state_dict
from network_names import RESNETS
from own_checkpoints import OWN, build, networks, save, slow, target


@networks
@pytest.mark.parametrize('own', ['TSN', 'TSM'])
def test_other_depths_are_refused(kind, own, tmp_path):
    file = str(tmp_path / 'own.pth')
    save(build(dict(OWN[own], depth=34)), file)
    for depth, match in (
        (18, r'depth=18.* unexpected, .*; set backbone.depth=34 \(now 18\)'),
        (
            50,
            r'not fit this \w+ \(depth=50, .*missing.*mismatched; .*depth=34 \(now 50',
        ),
    ):
        model = target(kind, depth=depth)
        with pytest.raises(ValueError, match=match):
            model.load_state_dict(torch.load(file)['state_dict'], strict=False)
        model.backbone.pretrained = file
        with pytest.raises(ValueError, match=match):
            model.backbone.init_weights()


OTHERS = {
    **{
        name: dict(type=f'mmtemporal.{name}', depth=18, num_segments=4)
        for name in RESNETS
    },
    # All but the path of the differences is a ResNet.
    'S-TDM': dict(
        type='mmtemporal.TDN',
        depth=18,
        num_segments=4,
        long_term_stages=(),
        shift_stages=(),
    ),
    'calibrated': dict(
        type='ResNet',
        depth=18,
        conv_cfg=dict(type='mmtemporal.TAdaConv2d', num_segments=4),
    ),
}


@pytest.mark.parametrize(
    ('kind', 'other'),
    [
        (kind, other) if kind == 'TANet' else slow(kind, other)
        for kind in RESNETS
        for other in OTHERS
        if other != kind and (kind, other) != ('TDN', 'S-TDM')
    ],
)
def test_other_temporal_networks_are_refused(kind, other, tmp_path):
    file = str(tmp_path / 'other.pth')
    state = build(OTHERS[other]).state_dict()
    torch.save(dict(state_dict=state), file)
    match = rf'not fit this {kind} .* unexpected, .*; set backbone.type'
    model = target(kind)
    with pytest.raises(ValueError, match=match) as error:
        load_checkpoint(model, file)
    named = re.findall(r'\((layer[\w.]+|diff_[\w.]+)', str(error.value))
    assert named and 'convert' not in str(error.value)
    model.backbone.pretrained = file
    with pytest.raises(ValueError, match=match):
        model.backbone.init_weights()


@networks
def test_networks_of_3d_convolutions_are_refused(kind, tmp_path):
    state = {k: v for k, v in build(OWN['TSN']).state_dict().items()}
    for name in state:
        if state[name].dim() == 4:
            state[name] = state[name][:, :, None]
    with pytest.raises(ValueError, match=r'instead of \(64, 3, 7, 7\).* mismatched'):
        target(kind).load_state_dict(state, strict=False)


@pytest.mark.parametrize('kind', [*RESNETS, 'TemporalAdapter'])
def test_files_that_hold_nothing_for_the_backbone_are_refused(kind):
    backbone = dict(type=f'mmtemporal.{kind}', num_segments=4)
    if kind == 'TemporalAdapter':
        layer = dict(type='TemporalShift')
        backbone.update(backbone=dict(type='ResNet', depth=18), temporal=layer)
    else:
        backbone.update(depth=18)
    head = dict(type='TSNHead', num_classes=4, in_channels=512)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(
            dict(type='Recognizer2D', backbone=backbone, cls_head=head)
        )
        other = MODELS.build(dict(type='SwinTransformer3D', arch='tiny'))
        resnet = MODELS.build(dict(type='ResNet', depth=18)).state_dict()
    other = {f'backbone.{name}': value for name, value in other.state_dict().items()}
    with pytest.raises(ValueError, match='whose backbone is no'):
        load_state_dict(model, other)
    with pytest.raises(ValueError, match='no tensor of model.backbone.*pretrained'):
        load_state_dict(model, resnet)
