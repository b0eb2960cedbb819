"""Temporally-adaptive convolutions against a kernel for every frame."""

import pytest
import torch
import torch.nn.functional as F
from reference.tada import convolve_frames, convolve_windows
from torch import nn

from mmtemporal.models.layers import (
    AttentionRouting,
    ConvRouting,
    TAdaConv2d,
    TAdaConv3d,
    temporal_pool,
)

N, T = 2, 4
# Some gradients, of a bias in front of a batch norm, are rounding errors around 0.
DOUBLE = dict(rtol=1e-10, atol=1e-10)


def randomised(layer):
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    for module in layer.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.ones_(module.weight)
    return layer.double()


def calibrations(layer, x):
    """Return what the layer multiplies kernel and bias with."""
    alpha, beta = layer.routing(x.mean((3, 4)).transpose(1, 2))
    return 1 + alpha, None if beta is None else 1 + beta


def with_bias(y, bias, beta):
    """Add the (calibrated) bias to (n, c, t, h, w)."""
    if bias is None:
        return y
    scaled = bias[None, None] if beta is None else beta * bias
    return y + scaled.transpose(1, 2)[..., None, None]


def assert_equal_with_gradients(layer, actual, expected, x):
    results = []
    for y in (actual, expected):
        inputs = [x, *layer.parameters()]
        results.append((y, torch.autograd.grad(y.pow(2).sum(), inputs)))
    torch.testing.assert_close(*results, **DOUBLE)


CONVOLUTIONS = [
    # in, out, kernel, stride, groups
    (8, 8, 3, 1, 1),
    (8, 8, 3, 2, 1),
    (8, 12, 3, 1, 1),
    (12, 8, 1, 1, 1),
    (8, 12, 3, 1, 4),
    (8, 8, 7, 1, 8),
]


@pytest.mark.parametrize('bias', [None, 'plain', 'calibrated'])
@pytest.mark.parametrize('calibrate', ['cin', 'cout'])
@pytest.mark.parametrize(('cin', 'cout', 'kernel', 'stride', 'groups'), CONVOLUTIONS)
def test_scaling_features_is_scaling_kernels(
    cin, cout, kernel, stride, groups, calibrate, bias
):
    layer = randomised(
        TAdaConv2d(
            cin,
            cout,
            kernel,
            stride,
            kernel // 2,
            groups=groups,
            bias=bias is not None,
            num_segments=T,
            calibrate=calibrate,
            calibrate_bias=bias == 'calibrated',
        )
    )
    x = torch.randn(N, cin, T, 7, 6, dtype=torch.float64, requires_grad=True)
    alpha, beta = calibrations(layer, x)
    assert alpha.std() > 0.01
    expected = convolve_frames(
        x, layer.weight, alpha, calibrate, stride, kernel // 2, groups
    )
    expected = with_bias(expected, layer.bias, beta)
    assert_equal_with_gradients(layer, layer(x), expected, x)
    frames = layer(x.transpose(1, 2).flatten(0, 1))
    torch.testing.assert_close(
        frames.unflatten(0, (N, T)).transpose(1, 2), expected, **DOUBLE
    )


@pytest.mark.parametrize('calibrate', ['cin', 'cout'])
@pytest.mark.parametrize(
    ('kernel', 'stride'), [((3, 3, 3), 1), ((3, 1, 1), 1), ((5, 3, 3), 2), (1, 1)]
)
def test_windows_have_the_calibration_of_their_output_frame(kernel, stride, calibrate):
    size, pad = (kernel[0], kernel[1] // 2) if kernel != 1 else (1, 0)
    layer = randomised(
        TAdaConv3d(
            6,
            10,
            kernel,
            (1, stride, stride),
            (size // 2, pad, pad),
            calibrate=calibrate,
            calibrate_bias=True,
            routing=dict(reduction=2),
        )
    )
    x = torch.randn(N, 6, T, 5, 6, dtype=torch.float64, requires_grad=True)
    alpha, beta = calibrations(layer, x)
    expected = convolve_windows(x, layer.weight, alpha, calibrate, stride, pad)
    expected = with_bias(expected, layer.bias, beta)
    assert_equal_with_gradients(layer, layer(x), expected, x)
    if calibrate == 'cin' and size > 1:
        # It is no convolution of frames that were scaled before.
        scaled = x * alpha.transpose(1, 2)[..., None, None]
        plain = layer._conv_forward(scaled, layer.weight, None)
        assert (with_bias(plain, layer.bias, beta) - expected).abs().max() > 0.01


def test_a_new_layer_is_the_convolution_that_it_replaces():
    """The example of the class."""
    network = nn.ModuleDict(dict(conv=nn.Conv2d(64, 64, 3, padding=1, bias=False)))
    old = network.conv
    new = TAdaConv2d(64, 64, 3, padding=1, bias=False, num_segments=8)
    new.load_state_dict(old.state_dict(), strict=False)
    x = torch.randn(16, 64, 6, 6)
    for mode in (True, False):
        assert torch.equal(new.train(mode)(x), old(x))
    clips = x.unflatten(0, (2, 8)).transpose(1, 2)
    assert torch.equal(new(clips), old(x).unflatten(0, (2, 8)).transpose(1, 2))


@pytest.mark.parametrize('routing', ['conv', 'attention'])
def test_the_start_is_the_identity_and_can_be_restored(routing):
    options = dict(type=routing, **({'head_dim': 4} if routing == 'attention' else {}))
    layer = TAdaConv2d(
        8,
        8,
        3,
        num_segments=T,
        calibrate='cout',
        calibrate_bias=True,
        routing=options,
    )
    means = torch.randn(N, T, 8)
    kernel = layer.weight.clone()
    for _ in range(2):
        for mode in (True, False):
            alpha, beta = layer.train(mode).routing(means)
            assert not alpha.any() and not beta.any()
        for parameter in layer.routing.parameters():
            nn.init.normal_(parameter)
        assert layer.routing(means)[0].any()
        layer.init_weights()
    assert torch.equal(layer.weight, kernel)


@pytest.mark.parametrize('use_global', [True, False])
@pytest.mark.parametrize('kernel_sizes', [(3, 3), (1, 3), (5, 1)])
@pytest.mark.parametrize('norm', ['bn', 'ln'])
def test_conv_routing_step_by_step(use_global, kernel_sizes, norm):
    layer = randomised(
        ConvRouting(8, 12, 2, kernel_sizes, use_global, norm, bias_channels=6)
    )
    means = torch.randn(N, T, 8, dtype=torch.float64)
    p = means.transpose(1, 2)
    if use_global:
        g = layer.g.weight[..., 0] @ p.mean(2).T + layer.g.bias[:, None]
        p = p + g.T[..., None]
    first, second = kernel_sizes
    a = F.conv1d(p, layer.a.weight, layer.a.bias, padding=first // 2)
    if norm == 'bn':
        mean, var = a.mean((0, 2)), a.var((0, 2), unbiased=False)
        a = (a - mean[:, None]) / (var[:, None] + 1e-5).sqrt()
        hidden = (a * layer.bn.weight[:, None] + layer.bn.bias[:, None]).clamp(min=0)
    else:
        a = (a - a.mean(1, True)) / (a.var(1, False, keepdim=True) + 1e-6).sqrt()
        hidden = F.gelu(a * layer.ln.weight[:, None] + layer.ln.bias[:, None])
    alpha, beta = layer(means)
    expected = F.conv1d(hidden, layer.b.weight, padding=second // 2)
    torch.testing.assert_close(alpha, expected.transpose(1, 2), **DOUBLE)
    expected = F.conv1d(hidden, layer.b_bias.weight, padding=second // 2)
    torch.testing.assert_close(beta, expected.transpose(1, 2), **DOUBLE)


def test_attention_routing_step_by_step():
    heads, dim = 2, 3
    layer = randomised(AttentionRouting(12, reduction=2, head_dim=dim))
    means = torch.randn(N, T, 12, dtype=torch.float64)
    a = F.conv1d(means.transpose(1, 2), layer.a.weight, layer.a.bias, padding=1)
    u = layer.norm(a.transpose(1, 2))
    u = u * torch.sigmoid(1.702 * u)
    q, k, v = layer.qkv(layer.norm_attn(u)).split(heads * dim, 2)
    out = torch.zeros_like(q)
    for h in range(heads):
        # The head is the fastest index of q, k and v, and the slowest of the result.
        scores = q[..., h::heads] @ k[..., h::heads].mT * (heads * dim) ** -0.5
        out[..., h * dim : (h + 1) * dim] = scores.softmax(-1) @ v[..., h::heads]
    hidden = (u + layer.proj(out)).transpose(1, 2)
    expected = F.conv1d(hidden, layer.b.weight, padding=1).transpose(1, 2)
    torch.testing.assert_close(layer(means)[0], expected, **DOUBLE)
    assert layer(means)[1] is None


def test_parameters_of_the_routing_of_resnet50():
    blocks = {64: 3, 128: 4, 256: 6, 512: 3}
    total = sum(
        number * sum(p.numel() for p in ConvRouting(c).parameters())
        for c, number in blocks.items()
    )
    assert total == 3_150_288


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_keeps_dtype_and_layout(dtype):
    layer = TAdaConv2d(
        16, 16, 3, 1, 1, num_segments=T, calibrate='cout', calibrate_bias=True
    ).eval()
    for parameter in layer.routing.parameters():
        nn.init.normal_(parameter, std=0.1)
    x = torch.randn(N * T, 16, 6, 6)
    expected = layer(x)
    half = x.to(dtype).contiguous(memory_format=torch.channels_last)
    layer.to(memory_format=torch.channels_last)
    with torch.autocast('cpu', dtype=dtype):
        mixed = layer(half)
    for y in (mixed, layer.to(dtype)(half)):
        assert y.dtype == dtype
        assert y.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(y.float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize('t', [1, 2, 5])
def test_pooling_over_frames(t):
    x = torch.randn(N * t, 3, 4, 5, dtype=torch.float64)
    clips = x.unflatten(0, (N, t))
    for mode, outside in (('avg', 0.0), ('max', float('-inf'))):
        padded = F.pad(clips, (0, 0, 0, 0, 0, 0, 1, 1), value=outside)
        triples = torch.stack([padded[:, i : i + t] for i in range(3)])
        expected = triples.mean(0) if mode == 'avg' else triples.amax(0)
        actual = temporal_pool(x, t, mode)
        torch.testing.assert_close(actual, expected.flatten(0, 1), **DOUBLE)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: TAdaConv2d(8, 8, 3, calibrate='all'), "calibrate='all' is none of"),
        (lambda: TAdaConv2d(8, 8, 3, bias=False, calibrate_bias=True), 'bias=True'),
        (lambda: TAdaConv2d(3, 8, 3), '3 channels are less than routing.reduction=4'),
        (
            lambda: TAdaConv2d(8, 8, 3, routing=dict(type='mlp')),
            "routing.type='mlp' is none of",
        ),
        (
            lambda: TAdaConv2d(8, 8, 3, routing=dict(kernel_sizes=(3, 2))),
            'routing.kernel_sizes must be two odd numbers',
        ),
        (
            lambda: TAdaConv2d(8, 8, 3, routing=dict(norm='gn')),
            "routing.norm='gn' is none of",
        ),
        (
            lambda: TAdaConv2d(8, 8, 3, routing=dict(type='attention')),
            'hidden width 4 of the routing function is no multiple of .*head_dim=48',
        ),
        (lambda: TAdaConv3d(8, 8, 3), 'keeps the number of frames.*padding'),
        (lambda: TAdaConv3d(8, 8, 3, stride=2, padding=1), 'keeps the number of'),
        (lambda: TAdaConv2d(8, 8, 3)(torch.ones(4, 8, 5, 5)), 'num_segments = None'),
        (
            lambda: TAdaConv2d(8, 8, 3, num_segments=4)(torch.ones(6, 8, 5, 5)),
            r'num_segments = 4.*got shape \(6, 8, 5, 5\)',
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
