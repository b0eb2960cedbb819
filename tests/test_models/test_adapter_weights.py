"""Freezing and initialising a network with temporal layers inside."""

from copy import deepcopy

import pytest
import torch
from adapters import MOBILENET, RESNET, adapter, build, frames, shake, temporal_state
from backbone_libraries import import_or_skip
from mmengine.runner import save_checkpoint
from torch.nn.modules.batchnorm import _BatchNorm


@pytest.mark.parametrize(
    ('wrapped', 'stages', 'rest'),
    [
        (dict(RESNET, frozen_stages=1), ('conv1', 'layer1'), 'layer2'),
        (dict(MOBILENET, frozen_stages=2), ('conv1', 'layer1', 'layer2'), 'layer3'),
    ],
    ids=['ResNet', 'MobileNetV2'],
)
@pytest.mark.parametrize('kind', ['TAM', 'LongTermTDM', 'TAdaConv2d'])
def test_frozen_stages_freeze_the_layers_in_them(wrapped, stages, rest, kind):
    where = 'resnet' if wrapped['type'] == 'ResNet' else 'mobilenet_v2'
    model = adapter(wrapped, kind, where=where)
    stages = tuple(f'backbone.{stage}.' for stage in stages)

    def assert_frozen():
        for name, parameter in model.named_parameters():
            assert parameter.requires_grad != name.startswith(stages), name

    assert_frozen()  # an optimizer is made before the first train()
    layers = [name for name in model.temporal_layers() if name.startswith(stages)]
    assert layers
    model.eval()
    model.train()
    assert_frozen()
    before = deepcopy(model.state_dict())
    model(frames(size=40, dtype=torch.float32))
    changed = [k for k, v in model.state_dict().items() if not v.equal(before[k])]
    assert any(name.startswith(f'backbone.{rest}.') for name in changed)
    assert not any(name.startswith(stages) for name in changed)


def norms(model):
    """Return the batch norms of the wrapped backbone, and of the temporal layers."""
    temporal = {
        norm
        for layer in model.temporal_layers().values()
        for norm in layer.modules()
        if isinstance(norm, _BatchNorm)
    }
    wrapped = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    return [norm for norm in wrapped if norm not in temporal], temporal


@pytest.mark.parametrize(
    'wrapped', [RESNET, MOBILENET], ids=lambda wrapped: wrapped['type']
)
@pytest.mark.parametrize('kind', ['TAM', 'LongTermTDM', 'TAdaConv2d'])
def test_norm_eval_spares_the_layers(wrapped, kind):
    model = adapter(dict(wrapped, norm_eval=True), kind).train()
    of_host, temporal = norms(model)
    assert temporal
    assert not any(norm.training for norm in of_host)
    assert all(norm.training for norm in temporal)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(norm.training for norm in norms(model.eval())[1])


@pytest.mark.parametrize('kind', ['TAM', 'LongTermTDM', 'TAdaConv2d'])
def test_partial_bn_spares_the_layers(kind):
    wrapped = dict(RESNET, partial_bn=True, frozen_stages=1)
    model = adapter(wrapped, kind, where='resnet').train()
    of_host, temporal = norms(model)
    assert not any(norm.training or norm.weight.requires_grad for norm in of_host)
    frozen = set(model.backbone.layer1.modules())
    assert any(norm in frozen for norm in temporal)
    for norm in temporal:
        assert norm.training == norm.weight.requires_grad == (norm not in frozen)


EVERYTHING = ['Conv1d', 'Conv2d', 'Linear', 'BatchNorm1d', 'BatchNorm2d']


@pytest.mark.parametrize(
    'kind', ['TAM', 'TemporalInterlace', 'LongTermTDM', 'TemporalShift', 'TAdaConv2d']
)
def test_rules_of_the_host_do_not_initialise_the_layers(kind):
    rules = [dict(type='Normal', layer=EVERYTHING, mean=9)]
    model = adapter(dict(RESNET, init_cfg=rules), kind)
    before = temporal_state(model)
    assert before
    model.init_weights()
    torch.testing.assert_close(temporal_state(model), before, rtol=0, atol=0)
    layers = tuple(f'{name}.' for name in model.temporal_layers())
    for name, parameter in model.named_parameters():
        # The blocks, for the first convolution has rules of its own.
        if name.startswith('backbone.layer') and not name.startswith(layers):
            assert parameter.mean() > 8 or name.endswith('bias'), name


@pytest.mark.parametrize(
    'name', ['timm.vit_tiny_patch16_224', 'torchvision.shufflenet_v2_x0_5']
)
def test_weights_from_other_libraries_are_kept(name):
    import_or_skip(name.partition('.')[0])
    model = adapter(dict(type=name), where='.*norm1|conv1.0', position='after')
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(3)
    before = deepcopy(model.state_dict())
    model.init_weights()
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


@pytest.fixture
def host_file(tmp_path):
    """Return a checkpoint of a MobileNetV2, and its tensors."""
    wrapped = build(MOBILENET)
    shake(wrapped)
    file = str(tmp_path / 'wrapped.pth')
    save_checkpoint(dict(state_dict=wrapped.state_dict()), file)
    return file, wrapped.state_dict()


@pytest.mark.parametrize('owner', ['wrapped', 'adapter'])
def test_pretrained_weights_of_the_host(owner, host_file):
    file, state = host_file
    if owner == 'wrapped':
        model = adapter(dict(MOBILENET, pretrained=file))
    else:
        init_cfg = dict(type='Pretrained', checkpoint=file)
        model = adapter(MOBILENET, init_cfg=init_cfg)
    before = temporal_state(model)
    model.init_weights()
    torch.testing.assert_close(temporal_state(model), before, rtol=0, atol=0)
    for name, value in state.items():
        assert torch.equal(model.state_dict()[f'backbone.{name}'], value), name
