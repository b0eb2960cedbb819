"""Weights of TAdaConvNeXt: how it is initialised, and its own checkpoints."""

import re

import pytest
import torch
from convnext_files import ARCHS, assert_starts_as_the_identity, both, build
from torch import nn


def randomise(model):
    """Take a network away from its start, where much of it is zero."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model


@both
def test_initial_weights(network):
    backbone = build(network)
    assert_starts_as_the_identity(backbone)
    backbone.init_weights()
    assert_starts_as_the_identity(backbone)
    for name, parameter in backbone.named_parameters():
        if re.search(r'\.b(_bias)?\.weight|norm_avg', name):
            continue
        if name.endswith('bias'):
            assert not parameter.any(), name
        elif parameter.dim() == 1:
            assert parameter.eq(1).all(), name
        elif parameter.numel() > 1000:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.1), name
    # A second call must not undo what was learnt meanwhile.
    before = {k: v.clone() for k, v in randomise(backbone).state_dict().items()}
    backbone.init_weights()
    torch.testing.assert_close(backbone.state_dict(), before, rtol=0, atol=0)


@both
def test_zeros_survive_rules_for_all_layers(network):
    rules = [
        dict(type='Kaiming', layer=['Conv1d', 'Conv2d', 'Linear']),
        dict(type='Constant', layer=['LayerNorm', 'BatchNorm1d'], val=1, bias=2),
    ]
    backbone = build(network, init_cfg=rules)
    backbone.init_weights()
    assert_starts_as_the_identity(backbone)
    assert backbone.norm.bias.eq(2).all()


@both
def test_checkpoint_of_the_backbone_is_kept_whole(network, tmp_path):
    trained = randomise(build(network)).state_dict()
    state_dict = {f'backbone.{name}': x for name, x in trained.items()}
    torch.save(dict(state_dict=state_dict), tmp_path / 'x.pth')
    cfg = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'x.pth'), prefix='backbone.'
    )
    # More frames, and without the last stages: the tensors are the same.
    for options in ({}, dict(num_segments=6), dict(out_indices=(2,))):
        options = {'num_segments': 4, **options}
        backbone = network(ARCHS[network], init_cfg=cfg, **options)
        backbone.init_weights()
        for name, tensor in backbone.state_dict().items():
            assert torch.equal(tensor, trained[name]), name


@both
def test_checkpoints_of_another_network_are_refused(network):
    backbone = build(network)

    def refused(match, other):
        with pytest.raises(ValueError, match=match):
            backbone.load_state_dict(other.state_dict(), strict=False)

    deep = dict(ARCHS[network], depths=(1, 1, 3, 1))
    match = r'0 missing, [1-9]\d* \(stages.2.2.* unexpected, .*set .*backbone.arch'
    refused(match, build(network, arch=deep))
    wide = dict(ARCHS[network], channels=(64, 128, 256, 512))
    refused('mismatched; set .*backbone.arch', build(network, arch=wide))
    (other,) = ARCHS.keys() - {network}
    # Some tensors of the routing functions have one name in both.
    refused(f'not fit this {network.__name__} .* missing, ', build(other))
    state = {k: v for k, v in backbone.state_dict().items() if '.routing.' not in k}
    with pytest.raises(
        ValueError, match=f'not fit this {network.__name__} .*: [1-9].* missing'
    ):
        backbone.load_state_dict(state, strict=False)
