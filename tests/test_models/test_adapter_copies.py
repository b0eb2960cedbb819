"""Copies, traces and fused forms of networks with layers inside."""

import pickle
from copy import deepcopy

import pytest
import torch
from adapters import (
    MOBILENET,
    RESNET,
    TDN,
    TINY,
    adapter,
    frames,
    shake,
)
from backbone_libraries import import_or_skip
from mmengine.model import ExponentialMovingAverage

from mmtemporal.models import fuse_for_inference


@pytest.mark.parametrize(
    'copy', [deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=['d', 'p']
)
@pytest.mark.parametrize('kind', ['TAM', 'TAdaConv2d'])
def test_copies_run_layers_of_their_own(copy, kind):
    model = adapter(temporal=kind).double()
    shake(model)
    x = frames()
    model(x)
    y = model.eval()(x)
    other = copy(model)
    assert torch.equal(other(x), y)
    for layer in other.temporal_layers().values():
        shake(layer)
    assert not torch.allclose(other(x), y)
    assert torch.equal(model(x), y)


def test_averaged_weights():
    model = adapter().double().eval()
    average = ExponentialMovingAverage(model, momentum=0.5)
    shake(model)
    x = frames()
    average.update_parameters(model)
    torch.testing.assert_close(average(x), model(x))
    shake(model)
    average.update_parameters(model)
    assert not torch.allclose(average(x), model(x))


@pytest.mark.parametrize('kind', ['TAM', 'LongTermTDM', 'TAdaConv2d'])
def test_recomputed_activations_change_nothing(kind):
    wrapped = dict(RESNET, depth=50)
    kept = adapter(wrapped, kind).double()
    recomputed = adapter(dict(wrapped, with_cp=True), kind).double()
    shake(kept)
    recomputed.load_state_dict(kept.state_dict())
    results = []
    x = frames()
    for model in (kept, recomputed):
        y = model(x)
        y.square().mean().backward()
        gradients = {name: value.grad for name, value in model.named_parameters()}
        results.append((y.detach(), gradients))
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('kind', ['TAM', 'TemporalInterlace', 'TAdaConv2d'])
def test_tracing_and_exporting(kind):
    model = adapter(temporal=kind).double().eval()
    traced = torch.jit.trace(model, frames(1), check_trace=False)
    x = frames(3)
    torch.testing.assert_close(traced(x), model(x))
    exported = torch.export.export(model, (x,)).module()
    torch.testing.assert_close(exported(x), model(x))


def test_layers_survive_the_merging_of_branches():
    import_or_skip('mmpretrain.models')
    wrapped = dict(type='mmpretrain.MobileOne', arch=TINY)
    model = adapter(wrapped, 'TemporalShift').double()
    shake(model)
    x = frames()
    model(x)
    y = model.eval()(x)
    model.backbone.switch_to_deploy()
    torch.testing.assert_close(model(x), y, rtol=1e-9, atol=1e-9)
    assert len(model.temporal_layers()) == 12


@pytest.mark.parametrize(
    ('wrapped', 'changes'),
    [
        (RESNET, dict(temporal='TAM')),
        (RESNET, dict(where=r'layer\d\.0\.conv1\.conv', position='after')),
        (RESNET, dict(temporal=TDN, where='resnet')),
        (RESNET, dict(temporal=dict(type='TAdaConv2d', calibrate='cin'))),
        (RESNET, dict(temporal=dict(type='TAdaConv2d', calibrate='cout'))),
        (MOBILENET, dict(temporal='TemporalInterlace')),
        # Its batch norms have the activation inside.
        (dict(type='timm.mobilenetv2_050'), dict(temporal='TAM')),
    ],
    ids=['TAM', 'behind-conv', 'TDN', 'cin', 'cout', 'MobileNetV2', 'timm'],
)
def test_fusing_for_inference_changes_nothing(wrapped, changes):
    if 'timm' in wrapped['type']:
        import_or_skip('timm')
    model = adapter(wrapped, **changes).double()
    shake(model)
    x = frames(size=40)
    model(x)
    expected = model.eval()(x)
    fused = fuse_for_inference(model)
    torch.testing.assert_close(fused(x), expected, rtol=1e-9, atol=1e-9)
