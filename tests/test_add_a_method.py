"""A layer in a file of its own, which the package does not know, in any backbone.

The file is examples/motion_excitation.py, of docs/add_a_method.md.
"""

import re
from importlib import import_module

import pytest
import torch
import torch.nn.functional as F
from adapters import MOBILENET, RESNET, T, adapter, build, frames, shake
from mmengine.runner import load_checkpoint
from parity import CONFIGS
from torch import nn

from mmtemporal.engine.statistics_hook import summarise
from mmtemporal.models import fuse_for_inference
from mmtemporal.models.layers import MixingLayer
from mmtemporal.visualization.clip import Clip
from mmtemporal.visualization.figures import draw_figures
from mmtemporal.visualization.recording import record

EXAMPLES = CONFIGS.parent / 'examples'
LAYER = dict(type='motion_excitation.MotionExcitation')


class FrameDifference(MixingLayer):
    """What is new in a frame: x_t - a x_{t-1}, with a learnable for each channel."""

    records = ('matrix', 'strength')

    def __init__(self, in_channels, num_segments):
        super().__init__(num_segments)
        self.strength = nn.Parameter(torch.zeros(in_channels))

    def mixing_weights(self, x):
        self.record(strength=self.strength)
        a = self.strength
        return torch.stack((-a, torch.ones_like(a), torch.zeros_like(a)))[None, :, None]


@pytest.fixture(autouse=True)
def example(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    return import_module('motion_excitation')


def wake(model):
    """Move the weights that start at zero, so that the layers have an effect."""
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter)


def random_input(shape):
    return torch.randn(shape, dtype=torch.float64)


# ---------------------------------------------------------------------- the layer


def compute_slowly(layer, clip):
    """Section 3.2 of the paper, a frame and a channel at a time."""
    reduced = [F.conv2d(x[None], layer.reduce.weight, layer.reduce.bias) for x in clip]
    out = []
    for t, x in enumerate(clip):
        gate = layer.expand.bias.clone()
        for i in range(layer.expand.in_channels):
            if t + 1 < len(clip):
                kernel, bias = layer.align.weight[i][None], layer.align.bias[i]
                later = F.conv2d(reduced[t + 1][:, i : i + 1], kernel, padding=1) + bias
                change = (later - reduced[t][:, i : i + 1]).mean()
                gate += layer.expand.weight[:, i, 0, 0] * change
        out.append(x + x * (2 / (1 + torch.exp(-gate)) - 1)[:, None, None])
    return torch.stack(out)


def test_equal_to_the_paper_and_recorded(example):
    layer = example.MotionExcitation(32, T, reduction=8).double()
    wake(layer)
    x = random_input((2 * T, 32, 5, 7))
    with record(layer) as records:
        y = layer(x)
    expected = torch.cat([compute_slowly(layer, clip) for clip in x.split(T)])
    torch.testing.assert_close(y, expected)
    gate = (y / x).mean((2, 3)).unflatten(0, (2, T))
    torch.testing.assert_close(records[0].values['gate'], gate)


# ------------------------------------------------------------------- the adapter

CLIPS = dict(depth=18, base_channels=8, lateral=False, pretrained=None)
VIT = dict(img_size=32, embed_dims=32, depth=2, num_heads=4, num_frames=2 * T)
# A wrapped backbone, where the layers go by default, their layout, frames of a clip.
WRAPPED = [
    (RESNET, r'layer[12]\.[01]\.conv2', 'NCHW', T),
    (dict(MOBILENET, widen_factor=0.25), r'layer[2-7]\.\d\.conv\.1', 'NCHW', T),
    (dict(type='ResNet3dSlowOnly', **CLIPS), r'layer\d\.[01]\.conv2', 'NCTHW', T),
    (dict(type='VisionTransformer', **VIT), r'blocks\.[01]\.norm1', 'NTLC', 2 * T),
]


@pytest.mark.parametrize(
    ('wrapped', 'where', 'layout', 't'),
    WRAPPED,
    ids=[wrapped['type'] for wrapped, *_ in WRAPPED],
)
def test_in_any_backbone(wrapped, where, layout, t, tmp_path):
    def make():
        net = adapter(wrapped, LAYER, t).double()
        net.eval()
        return net

    net, plain = make(), build(wrapped).double()
    layers = net.temporal_layers()
    assert layers and all(
        re.fullmatch(rf'backbone\.{where}\.temporal', name) for name in layers
    )
    assert {layer.layout for layer in layers.values()} == {layout}
    shape = (2 * t, 3, 32, 32) if net.takes_frames else (2, 3, t, 32, 32)
    x = random_input(shape)

    # A checkpoint of the wrapped backbone alone, which a new layer does not change.
    shake(plain)
    plain.eval()
    torch.save(dict(state_dict=plain.state_dict()), tmp_path / 'plain.pth')
    load_checkpoint(net, str(tmp_path / 'plain.pth'))
    assert torch.equal(net(x), plain(x))

    wake(net)
    y = net(x)
    assert not torch.allclose(y, plain(x))
    other = x.clone()
    other[len(x) // 2 :] = torch.randn_like(x[len(x) // 2 :])
    half = len(y) // 2
    torch.testing.assert_close(net(other)[:half], y[:half])
    assert not torch.allclose(net(other)[half:], y[half:])
    torch.testing.assert_close(fuse_for_inference(net)(x), y)

    again = make()
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(x), y)

    again.train()
    (again(x) * torch.randn_like(y)).sum().backward()
    named = again.named_parameters()
    assert not [name for name, p in named if p.grad is None or not p.grad.any()]


def test_as_class_and_by_registered_name(example):
    for kind in (example.MotionExcitation, 'MotionExcitation', LAYER['type']):
        net = adapter(temporal=dict(type=kind, reduction=4))
        widths = [m.reduce.out_channels for (m,) in net.temporal_layers().values()]
        assert widths == [16, 16, 32, 32]


# ------------------------------------------------------------- a layer that mixes


def test_a_mixing_layer_of_a_few_lines():
    net = adapter(temporal=dict(type=FrameDifference)).double()
    net.eval()
    wake(net)
    clips = []
    for title in 'ab':
        with torch.no_grad(), record(net) as records:
            net(frames(1))
        pictures = torch.zeros(T, 32, 32, 3, dtype=torch.uint8)
        clips.append(Clip(title, pictures, {}, records, views=1))
    assert [*draw_figures(clips)] == ['mixing']
    entry = records[-1]
    a = net.get_submodule(entry.name).strength.detach()
    previous = torch.diag(torch.ones(T - 1, dtype=a.dtype), -1)
    matrix = torch.eye(T) - a[:, None, None] * previous
    torch.testing.assert_close(entry.values['matrix'][0], matrix)
    # What figures do not know is logged all the same.
    scalars = summarise(records)
    measures = {tag.rpartition('/')[2] for tag in scalars}
    assert measures == {'strength_mean', 'strength_std'}
    mean = scalars[f'temporal/{entry.name}/strength_mean']
    assert mean == pytest.approx(float(a.mean()))
