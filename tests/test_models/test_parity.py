"""Equality with the authors' implementations, in eval and in training mode."""

import re

import pytest
import torch
import torch.nn.functional as F
from mmaction.models import Recognizer3D
from mmengine import Config
from parity import (
    CONFIGS,
    build_recognizer,
    load_fixture,
    make_input,
    make_state_dict,
)

from mmtemporal.checkpoints import convert_state_dict
from mmtemporal.checkpoints.formats import recognise
from mmtemporal.models import TAdaFormer

CASES = [
    ('tanet_r50_8f', 'tanet_r50'),
    ('tin_r50_8f', 'tin_r50'),
    ('tdn_r50_8f', 'tdn_r50'),
    ('tada2d_r50_8f', 'tada2d_r50'),
    ('tadaconvnextv2_t_16f', 'tadaconvnextv2_tiny'),
    ('tadaformer_b16_8f', 'tadaformer_base'),
    ('tadaformer_b16_ssv2_8f', 'tadaformer_base_sthv2'),
]


def build(config, fixture):
    """Build the recognizer of a base config with the fixture's weights."""
    head = dict(num_classes=174, dropout_ratio=0)
    backbone = dict(drop_path_rate=0) if 'convnext' in config else {}
    if 'tadaformer' in config:
        smaller = fixture['config']  # than the released network
        base = Config.fromfile(CONFIGS / f'_base_/models/{config}.py').model.backbone
        arch = TAdaFormer.arch_settings[base.arch]
        backbone = dict(
            arch=dict(arch, num_layers=smaller['depth'], _delete_=True),
            img_size=smaller['img_size'],
            num_segments=smaller['num_frames'],
        )
    model = build_recognizer(config, cls_head=head, backbone=backbone)
    # In float64 before the conversion, which subtracts TDN's biases.
    weights = {name: x.double() for name, x in make_state_dict(fixture).items()}
    model.double().load_state_dict(convert_state_dict(weights), strict=True)
    return model


def forward(model, x):
    """Return the scores of clips (n, frames, 3, h, w)."""
    if isinstance(model, Recognizer3D):
        # One view of each clip.
        return model(x.transpose(1, 2).unsqueeze(1), stage='head')
    return model(x, stage='head')


@pytest.mark.parametrize(('name', 'config'), CASES)
def test_logits_in_eval_mode(name, config):
    fixture = load_fixture(name)
    model = build(config, fixture).eval()
    with torch.no_grad():
        logits = forward(model, make_input(fixture).double())
    expected = torch.tensor(fixture['logits'], dtype=torch.float64)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize(('name', 'config'), CASES)
def test_one_training_step(name, config):
    fixture = load_fixture(name)
    train = fixture['train']
    model = build(config, fixture).train()
    x = make_input(fixture).double().requires_grad_()
    logits = forward(model, x)
    loss = F.cross_entropy(logits, torch.tensor(train['labels']))
    loss.backward()

    expected = torch.tensor(train['logits'], dtype=torch.float64)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-8)
    assert loss.item() == pytest.approx(train['loss'], abs=1e-8)

    # The authors' names, from ours.
    rename = recognise(fixture['state_dict']).rename
    ours = {rename(name): name for name in fixture['state_dict']}
    gradients = {
        ours[name]: parameter.grad.norm().item()
        for name, parameter in model.named_parameters()
    }
    # Where ours has no such parameter, the authors' must not matter either: TDN's
    # convolutions have a bias under their batch norms, and a stem never used.
    for name in train['grad_norms'].keys() - gradients:
        assert re.search(r'(conv\d|downsample\.0)\.bias|conv1_temp', name)
        assert (train['grad_norms'].pop(name) or 0) < 1e-9
    assert gradients == pytest.approx(train['grad_norms'], rel=1e-6, abs=1e-12)
    assert x.grad.norm().item() == pytest.approx(train['input_grad_norm'], rel=1e-6)
    weights = make_state_dict(fixture)
    means = {
        ours[name]: (buffer + folded_bias(weights, ours[name])).norm().item()
        for name, buffer in model.named_buffers()
        if name.endswith('running_mean')
    }
    assert means == pytest.approx(train['running_mean_norms'], rel=1e-8)
    if 'running_var_norms' in train:
        variances = {
            ours[name]: buffer.norm().item()
            for name, buffer in model.named_buffers()
            if name.endswith('running_var')
        }
        assert variances == pytest.approx(train['running_var_norms'], rel=1e-8)


def folded_bias(weights, running_mean):
    """Return what the conversion has taken off a running mean."""
    conv = re.sub(r'\bbn(\d)\.running_mean$', r'conv\1.bias', running_mean)
    conv = re.sub(r'downsample\.1\.running_mean$', 'downsample.0.bias', conv)
    return weights.get(conv, 0) if conv != running_mean else 0
