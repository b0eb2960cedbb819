"""Stages and batch norms that stay as they are in training."""

import pytest
from small_backbones import (
    CASES,
    RESNETS,
    build,
    clips,
    is_norm,
    scores,
    temporal_stages,
)

from mmtemporal.models.layers.temporal_layer import new_modules


@pytest.fixture(params=RESNETS)
def resnet(request):
    return request.param


def test_frozen_stages(resnet):
    model = build(resnet, frozen_stages=2)
    backbone = model.backbone.train()
    names = ('conv1', 'layer1', 'layer2', 'diff_conv1', 'diff_layer1')
    frozen = [child for key, child in backbone.named_children() if key in names]
    for module in frozen:
        assert not any(p.requires_grad for p in module.parameters())
        norms = [m for m in module.modules() if is_norm(m)]
        assert norms and not any(norm.training for norm in norms)
    assert all(p.requires_grad for p in backbone.layer3.parameters())
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    scores(model, clips(resnet))
    changed = {k for k, v in backbone.state_dict().items() if not v.equal(before[k])}
    assert changed
    assert all(key.startswith(('layer3', 'layer4')) for key in changed)


def norms_of(backbone):
    """Return the batch norms of the ResNet and those of the temporal layers."""
    temporal = {m for part in new_modules(backbone).values() for m in part.modules()}
    norms = [m for m in backbone.modules() if is_norm(m)]
    return (
        [m for m in norms if m not in temporal],
        [m for m in norms if m in temporal],
    )


def test_norm_eval(resnet):
    backbone = build(resnet, norm_eval=True).backbone.train()
    wrapped, temporal = norms_of(backbone)
    assert not any(norm.training for norm in wrapped)
    assert all(norm.training == CASES[resnet].keeps_norms for norm in temporal)
    assert all(p.requires_grad for p in backbone.parameters())


def test_partial_bn_freezes_all_but_the_first(resnet):
    backbone = build(resnet, partial_bn=True).backbone.train()
    wrapped, temporal = norms_of(backbone)
    assert wrapped[0] is backbone.conv1.bn
    assert wrapped[0].training and wrapped[0].weight.requires_grad
    for norm in wrapped[1:]:
        assert not norm.training and not norm.weight.requires_grad
    assert all(norm.training == CASES[resnet].keeps_norms for norm in temporal)
    assert all(norm.weight.requires_grad for norm in temporal)


def test_temporal_stages(resnet):
    backbone = build(resnet, **temporal_stages(resnet, 2, 3)).backbone
    layers = {key.split('.')[0] for key in new_modules(backbone)}
    assert layers - {'short_term_tdm'} == {'layer3', 'layer4'}
