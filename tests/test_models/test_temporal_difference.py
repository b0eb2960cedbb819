"""TDN's modules against plain formulations."""

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from mmaction.models.backbones.resnet_tsm import TemporalShift as TSM
from reference.tdn import long_term_gate
from torch import nn

from mmtemporal.models.layers import LongTermTDM, TemporalShift, frame_differences

DOUBLE = dict(rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(('frames', 'size'), [(5, (8, 8)), (3, (7, 9)), (2, (2, 2))])
def test_differences_are_those_of_pooled_frames(frames, size):
    x = torch.randn(2, frames, 3, *size, dtype=torch.float64)
    expected = [
        F.avg_pool2d(x[:, i + 1] - x[:, i], 2, stride=2) for i in range(frames - 1)
    ]
    torch.testing.assert_close(frame_differences(x), torch.cat(expected, 1), **DOUBLE)
    # A view with the colours outermost, as FormatShape('NCTHW') gives it.
    view = x.transpose(1, 2).contiguous().transpose(1, 2)
    torch.testing.assert_close(
        frame_differences(view), torch.cat(expected, 1), **DOUBLE
    )


def randomised(layer):
    for module in layer.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return layer.double()


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('num_scales', [1, 2, 3])
@pytest.mark.parametrize('size', [(6, 6), (7, 5)])
def test_long_term_module_is_equal_to_the_plain_one(training, num_scales, size):
    layer = randomised(LongTermTDM(16, 4, reduction=4, num_scales=num_scales))
    plain = deepcopy(layer)
    x = torch.randn(8, 16, *size, dtype=torch.float64, requires_grad=True)
    results = []
    for module, run in ((layer, layer), (plain, lambda x: long_term_gate(plain, x))):
        module.train(training)
        y = run(x)
        grads = torch.autograd.grad(y.pow(3).sum(), [x, *module.parameters()])
        # With running statistics and their counters.
        results.append((y, grads, module.state_dict()))
    torch.testing.assert_close(*results, **DOUBLE)


@pytest.mark.parametrize('training', [False, True])
def test_long_term_module_reverses_with_its_clip(training):
    """So it alone cannot tell a motion from its reversal."""
    layer = randomised(LongTermTDM(16, 4, reduction=4)).train(training)
    x = torch.randn(2, 4, 16, 6, 5, dtype=torch.float64)
    y, reversed_y = (
        layer(clips.flatten(0, 1)).unflatten(0, (2, 4)) for clips in (x, x.flip(1))
    )
    assert not torch.allclose(y, x)
    torch.testing.assert_close(reversed_y.flip(1), y, **DOUBLE)


def test_shared_norms_run_twice_in_training_only():
    layer = LongTermTDM(16, 4, reduction=4).train()
    layer(torch.randn(8, 16, 4, 4))
    layer.eval()(torch.randn(8, 16, 4, 4))
    counts = {k: int(v) for k, v in layer.state_dict().items() if 'tracked' in k}
    assert counts == {
        'reduce_bn.num_batches_tracked': 1,
        'pooled_bn.num_batches_tracked': 2,
        'full_bn.num_batches_tracked': 2,
        'expand_bn.num_batches_tracked': 2,
    }


def test_gate_lies_between_one_half_and_three_halves():
    layer = randomised(LongTermTDM(16, 4, reduction=4)).train()
    gate = layer(torch.ones(8, 16, 6, 6, dtype=torch.float64) + torch.rand(8, 1, 1, 1))
    x = torch.rand(8, 16, 6, 6, dtype=torch.float64) + 1
    gate = layer(x) / x
    assert 0.5 < gate.min() < 0.9 and 1.1 < gate.max() < 1.5


def test_parameters_of_the_long_term_module():
    layer = LongTermTDM(128, 8)
    convs = 128 * 8 + 9 * 8 + 2 * 9 * 8 * 8 + 8 * 128
    assert sum(p.numel() for p in layer.parameters()) == convs + 2 * (3 * 8 + 128)


def test_bad_arguments_of_the_long_term_module():
    with pytest.raises(ValueError, match='12 channels are less than reduction=16'):
        LongTermTDM(12, 8)
    with pytest.raises(ValueError, match='num_scales=4 is none of 1, 2, 3'):
        LongTermTDM(16, 8, num_scales=4)
    layer = LongTermTDM(16, 8)
    with pytest.raises(ValueError, match='got 12 frames, not a multiple'):
        layer(torch.randn(12, 16, 4, 4))
    with pytest.raises(ValueError, match='maps of 1 x 4 pixels.*33 pixels'):
        layer(torch.randn(8, 16, 1, 4))
    assert LongTermTDM(16, 8, num_scales=1)(torch.randn(8, 16, 1, 1)).shape[2:] == (
        1,
        1,
    )


def test_shift_starts_as_that_of_tsm():
    x = torch.randn(2, 4, 16, 3, 3)
    y = TemporalShift(16, 4)(x.flatten(0, 1)).unflatten(0, (2, 4))
    zero = torch.zeros_like(x[:, :1])
    later, earlier = torch.cat((x[:, 1:], zero), 1), torch.cat((zero, x[:, :-1]), 1)
    assert torch.equal(y[:, :, :2], later[:, :, :2])
    assert torch.equal(y[:, :, 2:4], earlier[:, :, 2:4])
    assert torch.equal(y[:, :, 4:], x[:, :, 4:])


@pytest.mark.parametrize('t', [1, 2, 5])
def test_shift_is_a_depthwise_convolution_in_time(t):
    layer = TemporalShift(8, t).double()
    nn.init.normal_(layer.conv.weight)
    x = torch.randn(3 * t, 8, 4, 5, dtype=torch.float64)
    # (n * t, c, h, w) -> (n * h * w, c, t), and back
    columns = x.view(3, t, 8, 4, 5).permute(0, 3, 4, 2, 1).reshape(-1, 8, t)
    expected = layer.conv(columns).view(3, 4, 5, 8, t).permute(0, 4, 3, 1, 2)
    torch.testing.assert_close(layer(x), expected.reshape(x.shape), **DOUBLE)


def test_shift_that_is_not_learnt_is_that_of_tsm():
    # Of 20 channels, 20 // 8 = 2 each way.
    layer = TemporalShift(20, 4, learnable=False).double()
    assert not any(p.requires_grad for p in layer.parameters())
    x = torch.randn(8, 20, 3, 3, dtype=torch.double)
    assert torch.equal(layer(x), TSM.shift(x, 4, shift_div=8))
