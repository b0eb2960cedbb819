"""Files from when an adapter called what it wraps ``host``."""

import pytest
import torch
from adapters import RESNET, T, adapter, build
from mmengine.runner import load_checkpoint, save_checkpoint
from torch import nn

from mmtemporal.checkpoints import convert_state_dict
from mmtemporal.checkpoints.fit import clean, load_strictly

NESTED = dict(
    type='mmtemporal.TemporalAdapter',
    backbone=RESNET,
    temporal=dict(type='TemporalShift'),
    where=r'layer1\.0',
    num_segments=T,
)


@pytest.fixture(params=[RESNET, NESTED], ids=['alone', 'nested'])
def make(request):
    """Make a recognizer whose layers all do something."""

    def make(seed):
        backbone = dict(
            type='mmtemporal.TemporalAdapter',
            backbone=request.param,
            temporal=dict(type='TAM'),
            where=r'(backbone\.)?layer2\.\d\.conv2',
            num_segments=T,
        )
        head = dict(type='TSMHead', num_classes=5, in_channels=512, num_segments=T)
        model = build(dict(type='Recognizer2D', backbone=backbone, cls_head=head))
        torch.manual_seed(seed)
        with torch.no_grad():
            for value in model.state_dict().values():
                if value.is_floating_point():
                    value += torch.rand_like(value) / 10
        return model.eval()

    return make


def old_name(name, levels):
    path = 'backbone.' * levels
    assert name.startswith(path)
    return 'host.' * levels + name.removeprefix(path)


def old_state(backbone):
    """Return the tensors of an adapter by the names that they had."""
    levels = 2 if isinstance(backbone.backbone, type(backbone)) else 1
    return {old_name(name, levels): x for name, x in backbone.state_dict().items()}


def old_recognizer(model):
    """Return the tensors of a recognizer by the names that they had."""
    tensors = {f'backbone.{name}': x for name, x in old_state(model.backbone).items()}
    head = {k: x for k, x in model.state_dict().items() if k.startswith('cls_head.')}
    assert any('.temporal.' in name for name in tensors)
    assert all(name.startswith('backbone.host.') for name in tensors)
    return {**tensors, **head}


def load_from(model, tensors, _, file):
    save_checkpoint(dict(state_dict=tensors), file)
    load_checkpoint(model, file, strict=True)


def pretrained(model, tensors, _, file):
    save_checkpoint(dict(state_dict=tensors), file)
    init = dict(type='Pretrained', checkpoint=file)
    model.backbone.init_cfg = dict(init, prefix='backbone')
    model.cls_head.init_cfg = dict(init, prefix='cls_head')
    model.init_weights()


def load_into_the_backbone(model, tensors, own, file):
    """Load a file of the recognizer where its backbone is expected."""
    save_checkpoint(dict(state_dict=tensors), file)
    load_checkpoint(model.backbone, file)
    model.cls_head.load_state_dict(own.cls_head.state_dict())


def load_the_backbone(model, _, own, file):
    save_checkpoint(dict(state_dict=old_state(own.backbone)), file)
    load_checkpoint(model.backbone, file, strict=True)
    model.cls_head.load_state_dict(own.cls_head.state_dict())


def load_state_dict(model, tensors, *_):
    model.load_state_dict(tensors, strict=True)


def load_averaged(model, tensors, *_):
    """Load what EMAHook keeps."""
    averaged = nn.Module()
    averaged.module = model
    tensors = {f'module.{name}': x for name, x in tensors.items()}
    averaged.load_state_dict(tensors, strict=True)


def load_like_the_tools(model, tensors, *_):
    load_strictly(model, clean(tensors, model))


@pytest.mark.parametrize(
    'load',
    [
        load_from,
        pretrained,
        load_into_the_backbone,
        load_the_backbone,
        load_state_dict,
        load_averaged,
        load_like_the_tools,
    ],
    ids=lambda load: load.__name__,
)
def test_old_names_give_the_same_outputs(make, load, tmp_path):
    trained, other = make(0), make(1)
    x = torch.randn(2, T, 3, 32, 32)
    expected = trained(x, mode='tensor')
    assert not torch.allclose(other(x, mode='tensor'), expected)
    load(other, old_recognizer(trained), trained, str(tmp_path / 'old.pth'))
    assert torch.equal(other.eval()(x, mode='tensor'), expected)
    assert other.state_dict().keys() == trained.state_dict().keys()


def test_a_file_of_the_adapter_alone_is_loaded_and_compared(tmp_path):
    file = str(tmp_path / 'adapter.pth')
    model, other = adapter(), adapter()
    for state in (model.state_dict(), old_state(model)):
        save_checkpoint(dict(state_dict=state), file)
        load_checkpoint(other, file, strict=True)
        for name, value in model.state_dict().items():
            assert torch.equal(other.state_dict()[name], value), name
        message = r'does not fit .*: \d+ .*temporal.* missing, \d+ .*temporal.* unexp'
        with pytest.raises(ValueError, match=message):
            load_checkpoint(adapter(where=r'layer\d\.\d\.conv1'), file)


def test_converted_files_have_the_names_of_today():
    model = nn.Module()
    model.backbone = adapter(temporal='TAdaConv2d')
    tensors = {f'backbone.{name}': x for name, x in old_state(model.backbone).items()}
    converted = convert_state_dict(tensors)
    assert converted.keys() == model.state_dict().keys()
    for name, value in model.state_dict().items():
        assert torch.equal(converted[name], value), name
