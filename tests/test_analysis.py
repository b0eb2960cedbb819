"""Counting what a network costs."""

import pytest
import torch
from parity import build_recognizer

from mmtemporal.analysis import count_multiply_adds
from mmtemporal.ops import without_autocast

HEAD = dict(num_classes=10, in_channels=512)


@pytest.mark.parametrize('device', ['cpu', 'meta'])
def test_count_grows_with_the_batch_and_leaves_the_model_alone(device):
    model = build_recognizer('tin_r50', backbone=dict(depth=18), cls_head=HEAD)
    model = model.to(device).train()
    one = count_multiply_adds(model, 1, 8, 3, 64, 64)
    assert isinstance(one, int)
    assert count_multiply_adds(model, 3, 8, 3, 64, 64) == 3 * one
    assert model.training
    assert {p.device.type for p in model.parameters()} == {device}
    # ResNet-18 has 1.814e9 at 224 pixels; TIN's matrices come on top.
    assert 8 * 1.814e9 / 12.25 == pytest.approx(one, rel=0.02)


def test_autocast_is_left_on_any_device():
    a, b = torch.randn(2, 2), torch.randn(2, 2)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert (a @ b).dtype == torch.bfloat16
        with without_autocast(a):
            assert (a @ b).dtype == torch.float32
    with without_autocast(a.to('meta')):
        assert (a.to('meta') @ b.to('meta')).is_meta
