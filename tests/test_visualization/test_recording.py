"""What is recorded is what the layers computed, and recording changes nothing."""

import pytest
import torch
import torch.nn.functional as F
from adapters import adapter
from parity import build_recognizer
from small_backbones import build as build_small
from small_backbones import frames
from torch import nn

from mmtemporal.models.layers import (
    TAM_VARIANTS,
    LongTermTDM,
    TAdaConv2d,
    TAdaConv3d,
    TemporalInterlace,
    frame_differences,
)
from mmtemporal.models.layers.tada_block import TAdaBlock
from mmtemporal.models.layers.temporal_layer import temporal_layers
from mmtemporal.visualization.recording import find, record

T = 4
N = 2
C = 16


def run(layer, x):
    """Return the values of the only record of a layer, and its output."""
    with record(nn.Sequential(layer)) as records:
        out = layer(x)
    (entry,) = records
    return entry.values, out


@pytest.fixture
def x():
    return torch.randn(N * T, C, 5, 6, dtype=torch.float64)


def build(config, **backbone):
    backbone = dict(depth=18, num_segments=T, **backbone)
    return build_recognizer(config, backbone=backbone, cls_head=None)


@pytest.mark.parametrize('variant', ['tam', 'global', 'local'])
@pytest.mark.parametrize('training', [False, True])
def test_tam(x, variant, training):
    layer = TAM_VARIANTS[variant](C, T).double().train(training)
    values, out = run(layer, x)
    branches = {'kernel': hasattr(layer, 'G'), 'importance': hasattr(layer, 'L')}
    there = {name for name, there in branches.items() if there}
    assert values.keys() == there | {'matrix'} == {*layer.records}
    ones = torch.ones(N, T, C, dtype=x.dtype)
    kernel = values.get('kernel', F.one_hot(torch.tensor(1), 3)[None, :, None])
    gated = values.get('importance', ones)[..., None, None] * x.unflatten(0, (N, T))
    padded = F.pad(gated, (0, 0) * 3 + (1, 1))
    expected = sum(
        kernel[:, None, k, :, None, None] * padded[:, k : k + T] for k in range(3)
    )
    torch.testing.assert_close(out, expected.flatten(0, 1))


def test_a_convolution_over_channels_has_nothing_to_record(x):
    layer = TAM_VARIANTS['conv'](C, T).double()
    assert layer.records == ()
    with record(layer) as records:
        layer(x)
    assert records == []


def test_interlacing(x):
    layer = TemporalInterlace(C, T, shift_div=1).double()
    values, _ = run(layer, x)
    means = x.mean((2, 3)).unflatten(0, (N, T)).transpose(1, 2)
    torch.testing.assert_close(values['offset'], layer.offset_net(means))
    torch.testing.assert_close(values['weight'], layer.weight_net(means))
    assert values['offset'].shape == (N, 2) and values['weight'].shape == (N, 2, T)


@pytest.mark.parametrize('training', [False, True])
def test_gate(x, training):
    layer = LongTermTDM(C, T).double().train(training)
    values, out = run(layer, x)
    gate = (out / x).unflatten(0, (N, T))
    torch.testing.assert_close(values['gate'], gate.mean((3, 4)))
    torch.testing.assert_close(values['gate_map'], gate.mean(2))
    assert gate.std() > 0.01


def test_calibration_of_2d_convolution(x):
    layer = TAdaConv2d(C, 8, 3, num_segments=T).double()
    nn.init.normal_(layer.routing.b.weight)
    values, out = run(layer, x)
    calibrated = values['calibration'].flatten(0, 1)[..., None, None] * x
    expected = F.conv2d(calibrated, layer.weight, layer.bias)
    torch.testing.assert_close(out, expected)


def test_calibration_of_3d_convolution(x):
    layer = TAdaConv3d(
        C, 8, 3, padding=(1, 0, 0), bias=False, calibrate='cout'
    ).double()
    nn.init.normal_(layer.routing.b.weight)
    clips = x.unflatten(0, (N, T)).transpose(1, 2)
    values, out = run(layer, clips)
    calibration = values['calibration'].transpose(1, 2)[..., None, None]
    plain = F.conv3d(clips, layer.weight, padding=(1, 0, 0))
    torch.testing.assert_close(out, calibration * plain)


@pytest.mark.parametrize('training', [False, True])
def test_calibration_of_tadaformer(training):
    """It is what the routing function returns, and not one more."""
    block = TAdaBlock(2 * C, routing=dict(head_dim=8)).double().train(training)
    nn.init.normal_(block.routing.b.weight)
    patches = torch.randn(N, T, 5, 6, 2 * C, dtype=torch.float64)
    values, _ = run(block, patches)
    means = block.proj_in(patches.mean((2, 3)))
    torch.testing.assert_close(values['calibration'], block.routing(means)[0])
    assert values.keys() == {*block.records} - ({'matrix'} if training else set())
    with record(block) as records:
        block(patches)
    assert records[0].calibration_centre == 0


def test_differences():
    backbone = build('tdn_r50').backbone
    windows = torch.randn(N * T, 5, 3, 40, 40)
    with torch.no_grad(), record(backbone) as records:
        backbone.eval()(windows.flatten(0, 1))
    (entry,) = find(records, 'difference')
    expected = frame_differences(windows).unflatten(1, (4, 3)).unflatten(0, (N, T))
    torch.testing.assert_close(entry.values['difference'], expected)
    assert len(find(records, 'gate')) == 6


@pytest.mark.parametrize('config', ['tanet_r50', 'tin_r50', 'tdn_r50', 'tada2d_r50'])
def test_recording_a_training_step_changes_nothing(config):
    """Neither do activations that are recomputed change what is recorded."""
    states, values = [], []
    frames = torch.randn(N * T * (5 if 'tdn' in config else 1), 3, 40, 40)
    for recorded, with_cp in ((False, False), (True, False), (True, True)):
        torch.manual_seed(0)
        backbone = build(config, with_cp=with_cp).backbone.train()
        if recorded:
            with record(backbone) as records:
                backbone(frames).sum().backward()
            values.append({(e.kind, e.name): e.values for e in records})
        else:
            backbone(frames).sum().backward()
        states.append((backbone.state_dict(), [p.grad for p in backbone.parameters()]))
        layers = [layer for _, layer in temporal_layers(backbone)]
        assert layers and not any(layer.recorder for layer in layers)
    torch.testing.assert_close(states[1], states[0], rtol=0, atol=0)
    torch.testing.assert_close(values[1], values[0])


def test_records_within_records(x):
    layer = TAM_VARIANTS['tam'](C, T).double()
    with record(layer) as outer:
        with record(layer) as inner:
            layer(x)
        layer(2 * x)
    assert layer.recorder is None
    torch.testing.assert_close(outer[0].values, inner[0].values)


def test_names_and_choice_of_layers():
    model = build('tanet_r50')
    with torch.no_grad(), record(model.eval()) as records:
        model.backbone(torch.randn(T, 3, 32, 32))
    found = find(records, 'kernel')
    labels = [f'layer{i}.{j}' for i in range(1, 5) for j in range(2)]
    assert [entry.label for entry in found] == labels
    assert [entry.name for entry in found] == [f'backbone.{i}.tam' for i in labels]
    last = find(records, 'matrix', stages=2)
    assert [entry.label for entry in last] == ['layer3.1', 'layer4.1']
    for name in ('layer2.1', 'backbone.layer2.1.tam'):
        (entry,) = find(records, 'kernel', [name])
        assert entry.label == 'layer2.1'
    assert find(records, 'kernel', ['ayer2.1', 'layer2.1.t']) == []


@pytest.mark.parametrize(
    ('temporal', 'value', 'last'),
    [
        ('TAM', 'kernel', ['layer1.1', 'layer2.1']),
        ('LongTermTDM', 'gate', ['layer2.1']),
        ('TAdaConv2d', 'calibration', ['layer1.1.conv2', 'layer2.1.conv2']),
    ],
)
def test_layers_in_any_host(temporal, value, last):
    model = adapter(temporal=temporal)
    with torch.no_grad(), record(model) as records:
        model(torch.randn(T, 3, 32, 32))
    assert len(find(records, value)) == len(model.temporal_layers())
    assert [entry.label for entry in find(records, value, stages=2)] == last


def test_blocks_in_one_list_are_stages():
    model = build_small('TAdaFormer', head=False)
    with torch.no_grad(), record(model.eval()) as records:
        model.backbone(frames('TAdaFormer'))
    labels = [entry.label for entry in find(records, 'matrix', stages=3)]
    assert labels == ['layers.1', 'layers.2', 'layers.3']
    model = build_small('TAdaFormer of form S', head=False)
    with torch.no_grad(), record(model.eval()) as records:
        model.backbone(frames('TAdaFormer'))
    # The second one of the last layer has no effect.
    labels = [entry.label for entry in find(records, 'matrix', stages=3)]
    assert labels == ['layers.1.tada2', 'layers.2.tada2', 'layers.3.tada']
