"""Recomputation equals plain training, and keeps less."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from mmtemporal.models.layers import InterlacedConv, TemporalInterlace
from mmtemporal.ops import checkpointed


def kept_bytes(run):
    """Return how much memory a call allocates and does not free."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = run()
    events = profiler.profiler.kineto_results.events()
    assert result.requires_grad
    return sum(event.nbytes() for event in events if event.name() == '[memory]')


def make_layers():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(4, 6, 1), nn.BatchNorm2d(6), nn.Tanh(), nn.Conv2d(6, 4, 1)
    ).double()


def test_equals_plain_training_in_one_step_after_another():
    plain, other = make_layers(), make_layers()
    for _ in range(2):
        x = torch.randn(5, 4, 3, 3, dtype=torch.float64, requires_grad=True)
        z = x.detach().clone().requires_grad_()
        plain(x).square().sum().backward()
        checkpointed(other, z, other).square().sum().backward()
        assert torch.equal(x.grad, z.grad)
    for a, b in zip(plain.parameters(), other.parameters()):
        assert torch.equal(a.grad, b.grad)
    for a, b in zip(plain.buffers(), other.buffers()):
        assert torch.equal(a, b)


@pytest.mark.parametrize('random', [True, False])
def test_random_numbers_are_the_same_again_where_asked_for(random):
    x = torch.randn(1000, requires_grad=True)
    dropout = nn.Dropout()
    y = checkpointed(lambda x: dropout(x).sin(), x, random=random)
    kept = y.detach() != 0
    torch.rand(1)
    y.sum().backward()
    assert torch.equal(x.grad != 0, kept) == random


def test_keeps_its_input_alone():
    x = torch.randn(8, 4, 64, 64, requires_grad=True)
    layers = make_layers().float()
    kept = kept_bytes(lambda: checkpointed(layers, x, layers))
    assert x.nbytes <= kept < 1.1 * x.nbytes  # the output
    assert kept_bytes(lambda: layers(x)) > 4 * x.nbytes


def test_interlacing_in_front_of_a_convolution_keeps_no_second_map():
    plain = nn.Conv2d(32, 8, 1)
    layer = InterlacedConv(TemporalInterlace(32, 8), deepcopy(plain))
    x = torch.randn(16, 32, 28, 28, requires_grad=True)
    floor = kept_bytes(lambda: plain(x))
    assert kept_bytes(lambda: layer(x)) < floor + 0.1 * x.nbytes


@pytest.mark.parametrize(('side', 'calls'), [(13, 1), (14, 2)])
def test_small_feature_maps_are_kept_where_asked_for(side, calls):
    seen = []

    def square(x):
        seen.append(x)
        return x.square()

    x = torch.randn(2, 3, side, side, requires_grad=True)
    checkpointed(square, x, small=False).sum().backward()
    assert len(seen) == calls
    checkpointed(square, x).sum().backward()
    assert len(seen) == calls + 2
