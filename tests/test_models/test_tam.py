"""The temporal adaptive module."""

import pytest
import torch
from mmaction.models.common import TAM as InTreeTAM
from reference.tam import gate_and_convolve
from torch.autograd import gradcheck

from mmtemporal.models.layers import TAM, TAM_VARIANTS


def branches(tam, x):
    """Return kernel (n, c, k) and importance (n, c, t) as the layers give them."""
    means = x.mean((2, 3)).unflatten(0, (-1, tam.num_segments)).transpose(1, 2)
    kernel = tam.G(means.flatten(0, 1)).unflatten(0, means.shape[:2])
    return kernel, tam.L(means)


def make(variant='tam', channels=8, t=8, **kwargs):
    tam = TAM_VARIANTS[variant](channels, t, **kwargs).double()
    # Variances of 1 would hide a wrong normalisation.
    for module in tam.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.normal_(module.running_mean, std=0.1)
    return tam


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('kernel_size', [3, 5])
@pytest.mark.parametrize('t', [5, 8, 16])
def test_equals_the_paper(t, kernel_size, training):
    tam = make(t=t, adaptive_kernel_size=kernel_size).train(training)
    x = torch.randn(2 * t, 8, 5, 3, dtype=torch.float64, requires_grad=True)
    inputs = (x, *tam.parameters())
    y = tam(x)
    expected = gate_and_convolve(x, *branches(tam, x))
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)
    upstream = torch.randn_like(y)
    for ours, theirs in zip(
        torch.autograd.grad(y, inputs, upstream),
        torch.autograd.grad(expected, inputs, upstream),
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


def test_ablations_equal_their_definitions():
    x = torch.randn(16, 8, 4, 4, dtype=torch.float64)
    ones = torch.ones(2, 8, 8, dtype=x.dtype)
    delta = torch.tensor([0.0, 1.0, 0.0], dtype=x.dtype).expand(2, 8, 3)
    clips = x.unflatten(0, (2, 8)).transpose(1, 2)

    full = make().eval()
    kernel, gate = branches(full, x)

    def run(variant):
        tam = make(variant).eval()
        tam.load_state_dict(full.state_dict(), strict=False)
        return tam, tam(x)

    reverse = gate_and_convolve(x, kernel, ones).unflatten(0, (2, 8))
    reverse = (reverse * gate.transpose(1, 2)[..., None, None]).flatten(0, 1)
    torch.testing.assert_close(run('reversed')[1], reverse)
    torch.testing.assert_close(run('global')[1], gate_and_convolve(x, kernel, ones))
    torch.testing.assert_close(run('local')[1], gate_and_convolve(x, delta, gate))
    se, output = run('global_se')
    constant = se.SE(clips.mean((2, 3, 4))[..., None]).expand(2, 8, 8)
    torch.testing.assert_close(output, gate_and_convolve(x, kernel, constant))
    thirds = torch.full((2, 8, 3), 1 / 3, dtype=x.dtype)
    torch.testing.assert_close(run('pool')[1], gate_and_convolve(x, thirds, ones))
    conv, output = run('conv')
    by_frame = torch.nn.functional.conv1d(
        clips.permute(0, 3, 4, 1, 2).flatten(0, 2),
        conv.conv.weight[..., 0, 0],
        padding=1,
    )
    by_frame = by_frame.unflatten(0, (2, 4, 4)).permute(0, 4, 3, 1, 2).flatten(0, 1)
    torch.testing.assert_close(output, by_frame)


def test_delta_kernel_and_unit_importance_are_the_identity():
    tam = make().eval()
    with torch.no_grad():
        for norm in (tam.G[1], tam.L[1]):
            norm.weight.zero_()
            norm.bias.fill_(1)
        tam.G[3].weight.copy_(torch.tensor([0.0, 100.0, 0.0])[:, None])
        tam.L[3].weight.fill_(100.0)
    x = torch.randn(16, 8, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(tam(x), x)


@pytest.mark.parametrize('training', [False, True])
def test_equals_the_in_tree_module(training):
    ours = make().train(training)
    theirs = InTreeTAM(8, 8).double().train(training)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    x = torch.randn(16, 8, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x))


def test_gradcheck():
    tam = make(channels=4, t=4).train()
    x = torch.randn(8, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(tam, x)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_keeps_dtype_and_layout(dtype):
    tam = TAM(8, 8).eval()
    x = torch.randn(16, 8, 6, 6)
    expected = tam(x)
    half = x.to(dtype).contiguous(memory_format=torch.channels_last)
    with torch.autocast('cpu', dtype=dtype):
        mixed = tam(half)
    for y in (mixed, TAM(8, 8).to(dtype).eval()(half)):
        assert y.dtype == dtype
        assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(mixed.float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(num_segments=2), 'num_segments=2 frames are fewer than the 3 weights'),
        (dict(adaptive_kernel_size=4), 'adaptive_kernel_size must be odd, got 4'),
        (dict(conv1d_kernel_size=2), 'conv1d_kernel_size must be odd, got 2'),
        (dict(beta=16), 'change tam_cfg.beta=16'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        TAM(**{'in_channels': 8, 'num_segments': 8, **arguments})
