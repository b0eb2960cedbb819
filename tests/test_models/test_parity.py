"""Equality with the authors' implementations, in eval and in training mode."""

import pytest
import torch
import torch.nn.functional as F
from parity import build_recognizer, load_fixture, make_input, make_state_dict

from mmtemporal.checkpoints import convert_state_dict

CASES = [('tanet_r50_8f', 'tanet_r50'), ('tin_r50_8f', 'tin_r50')]


def build(config, fixture):
    """Builds the recognizer of a base config with the fixture's weights."""
    head = dict(num_classes=174, dropout_ratio=0)
    model = build_recognizer(config, cls_head=head)
    state_dict = convert_state_dict(make_state_dict(fixture))
    model.load_state_dict(state_dict, strict=True)
    return model.double()


def forward(model, x):
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
    names = {name: torch.tensor(i) for i, name in enumerate(fixture['state_dict'])}
    official = list(fixture['state_dict'])
    ours = {k: official[i] for k, i in convert_state_dict(names).items()}
    gradients = {
        ours[name]: parameter.grad.norm().item()
        for name, parameter in model.named_parameters()
    }
    assert gradients == pytest.approx(train['grad_norms'], rel=1e-6, abs=1e-12)
    assert x.grad.norm().item() == pytest.approx(train['input_grad_norm'], rel=1e-6)
    means = {
        ours[name]: buffer.norm().item()
        for name, buffer in model.named_buffers()
        if name.endswith('running_mean')
    }
    assert means == pytest.approx(train['running_mean_norms'], rel=1e-8)
