"""Initialising TAdaConvNeXt from the files of image networks."""

import re

import pytest
import torch
import torch.nn.functional as F
from convnext_files import (
    ARCHS,
    DEPTHS,
    assert_starts_as_the_identity,
    both,
    build,
    facebook_state_dict,
    image_file,
)
from mmengine.logging import MMLogger

from mmtemporal.checkpoints.convnext_names import facebook_name
from mmtemporal.models.backbones.tada_convnext import TAdaConvNeXt, TAdaConvNeXtV2
from mmtemporal.models.layers import quick_gelu


def image_network(weights, x, activation):
    """A ConvNeXt for images, as its paper has it, up to the final norm."""
    w = {name: tensor.to(x.dtype) for name, tensor in weights.items()}

    def conv(x, name, **kwargs):
        return F.conv2d(x, w[f'{name}.weight'], w[f'{name}.bias'], **kwargs)

    def norm(x, name):
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(
            x, x.shape[-1:], w[f'{name}.weight'], w[f'{name}.bias'], eps=1e-6
        )
        return x.permute(0, 3, 1, 2)

    def linear(x, name):
        weight = w[f'{name}.weight'][..., None, None]
        return F.conv2d(x, weight, w[f'{name}.bias'])

    for i, depth in enumerate(DEPTHS):
        name = f'downsample_layers.{i}'
        if i == 0:
            x = norm(conv(x, f'{name}.0', stride=4), f'{name}.1')
        else:
            x = conv(norm(x, f'{name}.0'), f'{name}.1', stride=2)
        for j in range(depth):
            name = f'stages.{i}.{j}'
            y = conv(x, f'{name}.dwconv', padding=3, groups=x.size(1))
            y = linear(norm(y, f'{name}.norm'), f'{name}.pwconv1')
            y = linear(activation(y), f'{name}.pwconv2')
            x = x + w[f'{name}.gamma'][:, None, None] * y
    return norm(x, 'norm')


@pytest.mark.parametrize(
    ('network', 'activation'), [(TAdaConvNeXt, F.gelu), (TAdaConvNeXtV2, quick_gelu)]
)
def test_start_from_the_image_network(network, activation, tmp_path):
    weights = facebook_state_dict()
    path = image_file(tmp_path / 'convnext.pth', state=weights)
    maps = build(network, num_segments=5, pretrained=path, gap_before_final_norm=False)
    maps.init_weights()
    x = torch.randn(2, 3, 5, 64, 96, dtype=torch.float64)
    y = maps.double().eval()(x)
    assert y.shape == (2, 256, 3, 2, 3)
    for i in range(3):
        expected = image_network(weights, x[:, :, 2 * i], activation)
        torch.testing.assert_close(y[:, :, i], expected)


@pytest.fixture
def log(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


@both
@pytest.mark.parametrize('layout', ['facebook', 'torchvision', 'timm', 'mmpretrain'])
def test_layouts_of_image_files(network, layout, tmp_path, log):
    weights = facebook_state_dict()
    path = image_file(tmp_path / 'convnext.pth', layout, weights)
    backbone = build(network, pretrained=path)
    backbone.init_weights()
    state = backbone.state_dict()
    for name in weights.keys() - {'head.weight', 'head.bias'}:
        tensor = state.pop(name)
        if name == 'downsample_layers.0.0.weight':
            assert not tensor[:, :, [0, 2]].any()
            tensor = tensor[:, :, 1]
        assert torch.equal(tensor, weights[name]), name
    # What is left is the temporal part, which starts as the identity.
    assert all(re.search(r'\.(routing|norm_avg)\.', name) for name in state)
    (report,) = (line for line in log.messages if ': loaded ' in line)
    assert f'loaded {len(weights) - 2} tensors' in report
    assert 'inflated 1 (downsample_layers.0.0.weight)' in report
    assert 'skipped 2 (head.' in report
    assert f'newly initialised {len(state)} (' in report


def test_names_of_image_files():
    # As the files have them.
    for theirs, ours in [
        ('features.0.1.bias', 'downsample_layers.0.1.bias'),
        ('features.6.1.weight', 'downsample_layers.3.1.weight'),
        ('features.5.8.block.5.weight', 'stages.2.8.pwconv2.weight'),
        ('features.7.2.layer_scale', 'stages.3.2.gamma'),
        ('classifier.0.weight', 'norm.weight'),
        ('stem.0.weight', 'downsample_layers.0.0.weight'),
        ('stages.1.downsample.0.bias', 'downsample_layers.1.0.bias'),
        ('stages.2.blocks.17.mlp.fc1.weight', 'stages.2.17.pwconv1.weight'),
        ('norm_pre.weight', 'norm.weight'),
        ('backbone.stages.2.17.depthwise_conv.bias', 'stages.2.17.dwconv.bias'),
        ('stages.2.17.dwconv.bias', 'stages.2.17.dwconv.bias'),
        ('something.else', 'something.else'),
    ]:
        assert facebook_name(theirs) == ours


@pytest.mark.parametrize('layout', ['mmpretrain', 'facebook'])
def test_recognizers_of_image_networks(layout, tmp_path):
    """As a TSN with mmpretrain's ConvNeXt has it, or what is left of one."""
    weights = facebook_state_dict()
    path = image_file(tmp_path / 'convnext.pth', 'mmpretrain', weights)
    state = torch.load(path)['state_dict']
    state = {k: v for k, v in state.items() if k.startswith('backbone.')}
    if layout == 'facebook':
        state = dict(weights)
    state['data_preprocessor.mean'] = torch.rand(3)
    state['cls_head.fc_cls.weight'] = torch.rand(5, 256)
    torch.save(dict(state_dict=state, meta={}), path)
    backbone = build(TAdaConvNeXt, pretrained=path)
    backbone.init_weights()
    assert torch.equal(backbone.stages[0][0].gamma, weights['stages.0.0.gamma'])
    assert_starts_as_the_identity(backbone)


def test_image_files_fit_networks_without_the_last_stages(tmp_path):
    path = image_file(tmp_path / 'convnext.pth')
    backbone = build(TAdaConvNeXt, pretrained=path, out_indices=(1,))
    backbone.init_weights()
    assert len(backbone.stages) == 2


@both
def test_unfit_image_files_are_refused(network, tmp_path):
    path = tmp_path / 'convnext.pth'

    def refused(match, **options):
        backbone = build(network, pretrained=str(path), **options)
        with pytest.raises(ValueError, match=match):
            backbone.init_weights()

    refused('cannot read backbone.pretrained=.*convnext.pth')
    path.write_bytes(b'not a checkpoint')
    refused('cannot read backbone.pretrained=.*convnext.pth')
    image_file(path)
    refused(r"arch='tiny'.*: 117 \(.* missing, .* 63 \(.* mismatched; set", arch='tiny')
    wide = dict(ARCHS[network], channels=(64, 128, 256, 512))
    refused(r'0 missing, 0 unexpected, 63 \(.*64, 3, .* mismatched; set', arch=wide)
    deep = dict(ARCHS[network], depths=(1, 1, 1, 1))
    refused(
        r'0 missing, 9 \(stages.2.1.dwconv.bias.* unexpected, 0 mism',
        arch=deep,
    )
    torch.save(build(network).state_dict(), path)
    refused(r'0 missing, \d+ \(.*unexpected, 0 mismatched.*backbone.init_cfg=')
