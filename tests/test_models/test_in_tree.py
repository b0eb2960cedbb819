"""Equality with MMAction2's own TANet and TIN, with shared weights."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.models.backbones import resnet_tin
from parity import build_recognizer
from reference.tin import Shift

CASES = {
    'tanet_r50': dict(type='mmaction.TANet', depth=50, num_segments=8),
    'tin_r50': dict(type='mmaction.ResNetTIN', depth=50, num_segments=8, shift_div=4),
}


def fake_tin_shift(frames, shift):
    """Stand for the CUDA operator, with a correct gradient."""
    n, t, c, pixels = frames.shape
    shift = shift.repeat_interleave(c // shift.size(1), 1)
    return Shift.apply(frames[..., None], shift, -1)[..., 0]


@pytest.fixture
def tin_shift_on_cpu(monkeypatch):
    ops = type(resnet_tin)('mmcv.ops')
    ops.tin_shift = fake_tin_shift
    monkeypatch.setitem(__import__('sys').modules, 'mmcv.ops', ops)
    # The in-tree module makes its output buffer in the default type.
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def step(model, x):
    logits = model(x, stage='head')
    F.cross_entropy(logits, torch.tensor([0, 1])).backward()
    return logits.detach(), {k: p.grad for k, p in model.named_parameters()}


@pytest.mark.slow
@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('config', CASES)
def test_logits_and_gradients_are_equal(config, training, tin_shift_on_cpu):
    head = dict(num_classes=10, dropout_ratio=0)
    ours = build_recognizer(config, cls_head=head)
    theirs = build_recognizer(
        config,
        backbone=dict(_delete_=True, **CASES[config]),
        cls_head=dict(type='TSMHead', is_shift=False, **head),
    )
    # Small layers react to their input only with weights that are not tiny.
    for name, parameter in theirs.named_parameters():
        if 'fc2.weight' in name or 'weight_net' in name or 'fc_cls' in name:
            torch.nn.init.normal_(parameter, std=0.5)
    # The zoo's names are ours: no conversion.
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(2, 8, 3, 32, 32)
    ours, theirs = ours.double().train(training), theirs.double().train(training)
    torch.testing.assert_close(step(ours, x), step(theirs, x), rtol=1e-7, atol=1e-9)
