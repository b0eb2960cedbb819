"""The tool that converts checkpoints, with image networks."""

import re

import pytest
import torch
from convert_tool import convert, refuse, small_config
from convnext_files import image_file
from mmaction.apis import init_recognizer
from mmengine import Config
from mmengine.runner import load_checkpoint
from network_names import RESNETS


def resnet18():
    """Return a random ResNet-18 as torchvision and timm have it."""
    shapes = {'conv1.weight': (64, 3, 7, 7)}
    norms = {'bn1': 64}
    for i, c in enumerate((64, 128, 256, 512), start=1):
        for j in range(2):
            block = f'layer{i}.{j}'
            first = c // 2 if i > 1 and j == 0 else c
            shapes[f'{block}.conv1.weight'] = (c, first, 3, 3)
            shapes[f'{block}.conv2.weight'] = (c, c, 3, 3)
            norms.update({f'{block}.bn1': c, f'{block}.bn2': c})
            if first != c:
                shapes[f'{block}.downsample.0.weight'] = (c, first, 1, 1)
                norms[f'{block}.downsample.1'] = c
    for norm, c in norms.items():
        for tensor in ('weight', 'bias', 'running_mean', 'running_var'):
            shapes[f'{norm}.{tensor}'] = (c,)
    shapes.update({'fc.weight': (10, 512), 'fc.bias': (10,)})
    return {name: torch.rand(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize('network', RESNETS)
def test_starts_from_a_resnet(network, src, dst, tmp_path, capsys):
    image = resnet18()
    torch.save({f'module.{k}': v for k, v in image.items()}, src)
    small_config(tmp_path, dict(type=f'mmtemporal.{network}'))
    config = tmp_path / 'config.py'
    refuse('give by --config whose backbone it shall init', src, dst, '--from', 'timm')
    torch.manual_seed(1)
    convert(src, dst, '--config', config)
    out = re.sub(r'[\s│]+', ' ', capsys.readouterr().out)
    assert 'an image ResNet of torchvision or timm' in out
    assert 'skipped 2 (fc.bias, fc.weight)' in out
    assert 'newly initialised ' in out and 'seed 0' in out

    start = torch.load(dst, weights_only=True)['state_dict']
    assert all(name.startswith('backbone.') for name in start)
    stem = start['backbone.conv1.conv.weight']
    assert torch.equal(stem, image['conv1.weight'])
    (second,) = (k for k in start if re.search(r'\.layer4.1.*conv2\.conv.weight', k))
    assert torch.equal(start[second], image['layer4.1.conv2.weight'])

    # What is new is the same every time.
    convert(src, tmp_path / 'again.pth', '--from', 'torchvision', '--config', config)
    again = torch.load(tmp_path / 'again.pth')['state_dict']
    torch.testing.assert_close(again, start, rtol=0, atol=0)
    by_load_from, by_pretrained = (
        init_recognizer(Config.fromfile(config), device='cpu') for _ in range(2)
    )
    load_checkpoint(by_load_from, str(dst))
    by_pretrained.backbone.pretrained = str(dst)
    by_pretrained.backbone.init_weights()
    for model in (by_load_from, by_pretrained):
        for name, tensor in model.backbone.state_dict().items():
            assert torch.equal(tensor, start[f'backbone.{name}']), name


@pytest.mark.parametrize('layout', ['facebook', 'torchvision', 'timm', 'mmpretrain'])
def test_starts_from_a_convnext(layout, src, dst, tmp_path, capsys):
    image_file(src, layout)
    arch = dict(depths=(1, 1, 2, 1), channels=(32, 64, 128, 256))
    small_config(tmp_path, dict(type='mmtemporal.TAdaConvNeXt', arch=arch), 256)
    config = tmp_path / 'config.py'
    refuse('--from zoo, but it is an image ConvNeXt of', src, dst, '--from', 'zoo')
    convert(src, dst, '--from', layout, '--config', config)
    out = re.sub(r'[\s│]+', ' ', capsys.readouterr().out)
    assert 'inflated 1 (downsample_layers.0.0.weight)' in out
    start = torch.load(dst)['state_dict']
    model = init_recognizer(Config.fromfile(config), device='cpu')
    load_checkpoint(model, str(dst))
    for name, tensor in model.backbone.state_dict().items():
        assert torch.equal(tensor, start[f'backbone.{name}']), name
    # The layer scales are those of the file.
    assert start['backbone.stages.0.0.gamma'].std() > 0.05
    assert not start['backbone.stages.0.0.dwconv.routing.b.weight'].any()


def test_unfit_starts_are_refused(src, dst, tmp_path):
    torch.save(resnet18(), src)
    small_config(tmp_path, dict(type='mmtemporal.TANet', depth=34))
    arguments = (src, dst, '--config', tmp_path / 'config.py')
    refuse(r'src.pth does .*depth=34.* missing, .*; set backbone.depth=18', *arguments)
    small_config(tmp_path, dict(type='mmtemporal.TAdaConvNeXt', arch='tiny'), 768)
    refuse("src.pth does not fit this TAdaConvNeXt .arch='tiny'.* missing", *arguments)
    small_config(tmp_path, dict(type='mmaction.ResNetTSM'))
    refuse('model.backbone is a ResNetTSM, none of the networks of mmt', *arguments)
    wrapped = dict(backbone=dict(type='ResNet', depth=18), temporal=dict(type='TAM'))
    small_config(tmp_path, dict(type='mmtemporal.TemporalAdapter', **wrapped))
    refuse('is a TemporalAdapter, none .* by backbone.init_cfg', *arguments)
    names = tmp_path / 'names.txt'
    refuse('--class-order is for networks of', *arguments, '--class-order', names)
