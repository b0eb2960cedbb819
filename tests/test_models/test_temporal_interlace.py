"""Temporal interlacing."""

import pytest
import torch
from mmaction.models.backbones.resnet_tsm import TemporalShift
from reference.tin import interlace
from torch import nn
from torch.autograd import gradcheck

from mmtemporal.models.layers import InterlacedConv, TemporalInterlace


class Constant(nn.Module):
    """Stands for one of the small networks and returns a fixed tensor."""

    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(value)
        self.conv = nn.Module()
        self.conv.weight = self.value

    def forward(self, x):
        return self.value


def make_fixed(offset, weight, channels, t, **kwargs):
    """Return an interlacing with given offsets (n, g) and weights (n, g, t)."""
    kwargs.setdefault('offset_scale', 2 * max(2, offset.abs().max().item()))
    layer = TemporalInterlace(channels, t, num_groups=offset.size(1), **kwargs)
    layer.offset_net, layer.weight_net = Constant(offset), Constant(weight)
    return layer.double()


def expected_output(x, layer, offset, weight, direction=-1):
    if layer.reverse:
        offset = torch.cat((offset, -offset), 1)
        weight = torch.cat((weight, weight), 1)
    moved = x[:, : layer.num_mixed]
    mixed = interlace(moved, layer.num_segments, offset, weight, direction)
    return torch.cat((mixed, x[:, layer.num_mixed :]), 1)


@pytest.mark.parametrize('shift_div', [1, 2, 4])
@pytest.mark.parametrize('t', [8, 16])
@pytest.mark.parametrize('clips', [1, 6])
def test_equals_the_paper(clips, t, shift_div):
    layer = TemporalInterlace(32, t, shift_div).double()
    # As initialised, the networks hardly react to their input.
    nn.init.normal_(layer.offset_net.fc2.weight, std=3)
    nn.init.normal_(layer.weight_net.conv.weight, std=3)
    x = torch.randn(clips * t, 32, 3, 2, dtype=torch.float64)
    means = x[:, : 32 // shift_div].mean((2, 3)).unflatten(0, (clips, t))
    offset = layer.offset_net(means.transpose(1, 2))
    weight = layer.weight_net(means.transpose(1, 2))
    assert offset.abs().max() > 0.1 and weight.std() > 0.1
    torch.testing.assert_close(
        layer(x), expected_output(x, layer, offset, weight), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    'offsets',
    [(0.5, -0.5), (1.3, -1.7), (2.0, -2.0), (0.0, 1.0), (3.4, -7.6), (9.0, 12.5)],
)
def test_whole_extreme_and_far_offsets(offsets):
    offset = torch.tensor([offsets], dtype=torch.float64)
    weight = torch.rand(1, 2, 8, dtype=torch.float64)
    layer = make_fixed(offset, weight, 16, 8)
    x = torch.randn(8, 16, 3, 2, dtype=torch.float64)
    torch.testing.assert_close(layer(x), expected_output(x, layer, offset, weight))


@pytest.mark.parametrize(
    ('num_groups', 'reverse'), [(1, True), (2, True), (2, False), (4, True), (4, False)]
)
def test_group_layouts_of_the_ablation(num_groups, reverse):
    offset = torch.randn(2, num_groups, dtype=torch.float64)
    weight = torch.rand(2, num_groups, 8, dtype=torch.float64)
    layer = make_fixed(offset, weight, 32, 8, shift_div=2, reverse=reverse)
    x = torch.randn(16, 32, 2, 2, dtype=torch.float64)
    torch.testing.assert_close(layer(x), expected_output(x, layer, offset, weight))


def test_initial_offsets_and_weights():
    for scale, expected in ((4.0, 0.5), (8.0, 1.0)):
        layer = TemporalInterlace(64, 8, offset_scale=scale)
        still = torch.zeros(1, 16, 8)
        nn.init.zeros_(layer.offset_net.fc2.weight)
        torch.testing.assert_close(
            layer.offset_net(still), torch.full((1, 2), expected), rtol=0, atol=1e-4
        )
        assert torch.equal(layer.weight_net(still), torch.ones(1, 2, 8))


def test_no_offset_and_unit_weight_are_the_identity():
    zero = torch.zeros(1, 2, dtype=torch.float64)
    layer = make_fixed(zero, torch.ones(1, 2, 8, dtype=torch.float64), 16, 8)
    x = torch.randn(8, 16, 3, 2, dtype=torch.float64)
    assert torch.equal(layer(x), x)


def test_tsm_is_a_special_case():
    offset = torch.full((2, 1), -1.0, dtype=torch.float64)
    layer = make_fixed(offset, torch.ones(2, 1, 8, dtype=torch.float64), 32, 8)
    x = torch.randn(16, 32, 3, 2, dtype=torch.float64)
    torch.testing.assert_close(layer(x), TemporalShift.shift(x, 8, shift_div=8))


def test_gradcheck_of_features_offsets_and_weights():
    offset = torch.tensor([[0.5, -1.3], [1.7, 0.2]], dtype=torch.float64)
    weight = torch.rand(2, 2, 4, dtype=torch.float64)
    layer = make_fixed(offset, weight, 8, 4, shift_div=2)
    x = torch.randn(8, 8, 2, 2, dtype=torch.float64, requires_grad=True)

    def run(x, offset, weight):
        layer.offset_net.forward = lambda means: offset
        layer.weight_net.forward = lambda means: weight
        return layer(x)

    assert gradcheck(run, (x, offset.requires_grad_(), weight.requires_grad_()))
    whole = TemporalInterlace(8, 4, shift_div=2).double()
    assert gradcheck(whole, x)


def test_gradient_is_the_adjoint_and_not_the_rule_of_mmcv():
    """mmcv's ``tin_shift`` moves the gradient of the features the wrong way.

    Its backward kernel adds the shift to the frame index just as the forward
    kernel does, where the adjoint has to subtract it. With an offset of 0.5 the
    two differ, and only the adjoint survives a gradient check.
    """
    offset = torch.tensor([[0.5, 1.3]], dtype=torch.float64)
    weight = torch.ones(1, 2, 8, dtype=torch.float64)
    layer = make_fixed(offset, weight, 8, 8, shift_div=1)
    x = torch.randn(8, 8, 2, 2, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn_like(x)

    def gradient(direction):
        y = expected_output(x, layer, offset, weight, direction)
        return torch.autograd.grad(y, x, upstream)[0]

    ours = torch.autograd.grad(layer(x), x, upstream)[0]
    torch.testing.assert_close(ours, gradient(-1))
    assert (ours - gradient(1)).abs().max() > 0.1
    # Moving along with the offset is what the adjoint does for the opposite one.
    mirrored = make_fixed(-offset, weight, 8, 8, shift_div=1)
    torch.testing.assert_close(
        gradient(1), torch.autograd.grad(mirrored(x), x, upstream)[0]
    )
    assert gradcheck(lambda x: expected_output(x, layer, offset, weight), x)
    assert not gradcheck(
        lambda x: expected_output(x, layer, offset, weight, 1), x, raise_exception=False
    )


def test_the_shortcut_input_is_not_written():
    layer = TemporalInterlace(16, 8)
    x = torch.randn(16, 16, 3, 3)
    before = x.clone()
    layer(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_keeps_dtype_and_layout(dtype):
    layer = TemporalInterlace(16, 8).eval()
    x = torch.randn(16, 16, 6, 6)
    expected = layer(x)
    half = x.to(dtype).contiguous(memory_format=torch.channels_last)
    with torch.autocast('cpu', dtype=dtype):
        mixed = layer(half)
    for y in (mixed, TemporalInterlace(16, 8).to(dtype)(half)):
        assert y.dtype == dtype
        assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(mixed.float(), expected, rtol=0.05, atol=0.05)


def test_interlaced_conv_is_interlacing_then_convolution():
    conv = nn.Conv2d(16, 8, 1)
    layer = TemporalInterlace(16, 8)
    x = torch.randn(16, 16, 3, 3)
    assert torch.equal(InterlacedConv(layer, conv)(x), conv(layer(x)))


def test_fewer_channels_move_where_groups_would_not_be_equal():
    layer = TemporalInterlace(24, 8)
    assert layer.num_mixed == 4
    x = torch.randn(8, 24, 3, 3)
    moved = (layer(x) - x).abs().amax((0, 2, 3)) > 0
    assert moved[:4].all() and not moved[4:].any()


def test_too_few_channels_are_named():
    with pytest.raises(ValueError, match='12 channels are less than shift_div=4 times'):
        TemporalInterlace(12, 8)
