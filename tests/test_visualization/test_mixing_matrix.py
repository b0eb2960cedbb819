"""A matrix times the frames is what the layer makes of them."""

import pytest
import torch
from parity import build_recognizer
from torch import nn

from mmtemporal.models.layers import (
    TAM,
    TAM_VARIANTS,
    TemporalInterlace,
    TemporalShift,
)
from mmtemporal.models.layers.tada_block import TAdaBlock
from mmtemporal.ops import fill_band
from mmtemporal.visualization.recording import find, record

T = 6
N = 2
C = 16
LAYERS = {
    **{
        variant: lambda variant=variant: TAM_VARIANTS[variant](C, T)
        for variant in ('tam', 'reversed', 'global', 'local', 'global_se', 'pool')
    },
    'five weights': lambda: TAM(C, T, adaptive_kernel_size=5),
    'interlacing': lambda: TemporalInterlace(C, T),
    'far': lambda: TemporalInterlace(C, T, offset_scale=T, reverse=False),
    'shift': lambda: TemporalShift(C, T),
}


def run(layer, x):
    """Return the output and the matrix of a layer, None if there is none."""
    with torch.no_grad(), record(layer) as records:
        out = layer(x)
    found = find(records, 'matrix')
    return out, found[0].values['matrix'] if found else None


def multiply(matrix, x):
    """Apply (n, g, t, t) to the channels (n * t, c) of which it has runs."""
    frames = x.unflatten(0, (N, T))
    runs = frames.unflatten(2, (matrix.size(1), -1))
    mixed = torch.einsum('ngts,nsgrhw->ntgrhw', matrix.expand(N, -1, -1, -1), runs)
    return mixed.reshape(x.shape)


@pytest.fixture
def x():
    return torch.randn(N * T, C, 3, 5, dtype=torch.float64)


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('kind', LAYERS)
def test_matrix_gives_the_output(kind, training, x):
    layer = LAYERS[kind]().double().train(training)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    moved = layer.num_mixed or C
    out, matrix = run(layer, x)
    assert matrix.shape[2:] == (T, T)
    torch.testing.assert_close(multiply(matrix, x[:, :moved]), out[:, :moved])
    assert torch.equal(x[:, moved:], out[:, moved:])
    assert (matrix - torch.eye(T)).abs().max() > 0.1


@pytest.mark.parametrize('separate_norm', [True, False])
def test_matrix_of_the_aggregation_of_tada2d(separate_norm):
    backbone = dict(depth=18, num_segments=T, separate_norm=separate_norm)
    network = build_recognizer('tada2d_r50', backbone=backbone, cls_head=None).backbone
    module = network.layer1[0].conv1.double().eval()
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for value in (norm.weight, norm.bias, norm.running_mean):
                nn.init.normal_(value)
            nn.init.uniform_(norm.running_var, 0.5, 2)
    module.relu = nn.Identity()
    frames = torch.randn(N * T, 64, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        convolved = module.conv(frames)
        out, matrix = run(module, frames)
        module.conv = nn.Identity()
        shift = module(torch.zeros_like(convolved))
    torch.testing.assert_close(multiply(matrix, convolved) + shift, out)
    # One matrix a channel, for all clips.
    assert matrix.shape == (1, 64, T, T)


@pytest.mark.parametrize('folded', [False, True])
def test_matrix_of_the_aggregation_of_tadaformer(folded, x):
    block = TAdaBlock(2 * C, routing=dict(head_dim=8)).double().eval()
    for norm in (block.bn, block.bn_avg):
        for value in (norm.weight, norm.bias, norm.running_mean):
            nn.init.normal_(value)
        nn.init.uniform_(norm.running_var, 0.5, 2)
    layer = block.fold() if folded else block
    with torch.no_grad(), record(layer) as records:
        out = layer.aggregate(x, T)
    (entry,) = find(records, 'matrix')
    matrix = entry.values['matrix']
    shift = block.aggregate(torch.zeros_like(x), T)
    torch.testing.assert_close(multiply(matrix, x) + shift, out)
    assert matrix.shape == (1, C, T, T)
    with record(block.train()) as records:
        block.aggregate(x, T)
    assert records == []


def test_what_no_matrix_describes(x):
    assert run(TAM_VARIANTS['conv'](C, T).double(), x)[1] is None
    frames = torch.randn(N * T, 64, 4, 4)
    for options, training in ((dict(aggregation='mix'), False), ({}, True)):
        backbone = dict(depth=18, num_segments=T, **options)
        network = build_recognizer('tada2d_r50', backbone=backbone, cls_head=None)
        module = network.backbone.layer1[0].conv1.train(training)
        assert run(module, frames)[1] is None


def test_weights_beyond_the_clip_are_left_out():
    weights = torch.arange(1.0, 6)[None, :, None, None]
    expected = torch.tensor([[3.0, 4, 5], [2, 3, 4], [1, 2, 3]])
    assert torch.equal(fill_band(weights, 3)[0, 0], expected)
