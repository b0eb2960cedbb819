"""Small TAdaConvNeXts, and files of image networks for them."""

import re

import pytest
import torch

from mmtemporal.models.backbones.tada_convnext import TAdaConvNeXt, TAdaConvNeXtV2
from mmtemporal.models.backbones.tada_convnext_block import TAdaConvNeXtV2Block

DEPTHS, CHANNELS = (1, 1, 2, 1), (32, 64, 128, 256)
ARCHS = {
    TAdaConvNeXt: dict(depths=DEPTHS, channels=CHANNELS),
    TAdaConvNeXtV2: dict(depths=DEPTHS, channels=CHANNELS, head_dim=16),
}
both = pytest.mark.parametrize('network', ARCHS)


def build(network, **options):
    """Build a small network for clips of four frames, its blocks at work."""
    defaults = dict(arch=ARCHS[network], num_segments=4, layer_scale_init_value=1.0)
    return network(**{**defaults, **options})


def facebook_state_dict():
    """Return a random ConvNeXt as Facebook's release has it."""
    shapes = {}

    def add(name, *shape):
        shapes[f'{name}.weight'] = shape
        shapes[f'{name}.bias'] = shape[:1]

    add('downsample_layers.0.0', CHANNELS[0], 3, 4, 4)
    add('downsample_layers.0.1', CHANNELS[0])
    for i, (depth, c) in enumerate(zip(DEPTHS, CHANNELS)):
        if i:
            add(f'downsample_layers.{i}.0', c // 2)
            add(f'downsample_layers.{i}.1', c, c // 2, 2, 2)
        for j in range(depth):
            block = f'stages.{i}.{j}'
            shapes[f'{block}.gamma'] = (c,)
            add(f'{block}.dwconv', c, 1, 7, 7)
            add(f'{block}.norm', c)
            add(f'{block}.pwconv1', 4 * c, c)
            add(f'{block}.pwconv2', c, 4 * c)
    add('norm', CHANNELS[-1])
    add('head', 10, CHANNELS[-1])
    return {name: 0.2 * torch.randn(shape) for name, shape in shapes.items()}


def torchvision_name(name):
    name = re.sub(
        r'^downsample_layers\.(\d)\.', lambda m: f'features.{2 * int(m[1])}.', name
    )
    name = re.sub(r'^stages\.(\d)\.', lambda m: f'features.{2 * int(m[1]) + 1}.', name)
    for i, part in enumerate(['dwconv', '', 'norm', 'pwconv1', '', 'pwconv2']):
        name = name.replace(f'.{part}.', f'.block.{i}.') if part else name
    name = name.replace('.gamma', '.layer_scale')
    return re.sub('^norm', 'classifier.0', re.sub('^head', 'classifier.2', name))


def timm_name(name):
    name = re.sub(r'^downsample_layers\.0', 'stem', name)
    name = re.sub(r'^downsample_layers\.(\d)', r'stages.\1.downsample', name)
    name = re.sub(r'^stages\.(\d)\.(\d)', r'stages.\1.blocks.\2', name)
    name = re.sub(r'\.pwconv([12])', r'.mlp.fc\1', name.replace('dwconv', 'conv_dw'))
    return re.sub('^norm', 'head.norm', re.sub('^head', 'head.fc', name))


def mmpretrain_name(name):
    name = name.replace('dwconv', 'depthwise_conv').replace('pwconv', 'pointwise_conv')
    name = re.sub('^norm', 'norm3', re.sub('^head', 'head.fc', name))
    return name if name.startswith('head') else f'backbone.{name}'


def image_file(path, layout='facebook', state=None):
    """Write an image network in the layout of a library."""
    state = facebook_state_dict() if state is None else state
    if layout == 'facebook':
        torch.save(dict(model=state), path)
    elif layout == 'torchvision':
        state = {torchvision_name(name): x for name, x in state.items()}
        for name in state:
            if name.endswith('layer_scale'):
                state[name] = state[name][:, None, None]
        torch.save(state, path)
    elif layout == 'timm':
        torch.save({timm_name(name): x for name, x in state.items()}, path)
    else:
        state = {mmpretrain_name(name): x for name, x in state.items()}
        torch.save(dict(state_dict=state), path)
    return str(path)


def assert_starts_as_the_identity(backbone):
    for block in (block for stage in backbone.stages for block in stage):
        routing = block.dwconv.routing
        assert not routing.b.weight.any() and not routing.b_bias.weight.any()
        assert routing.a.weight.any()
        if isinstance(block, TAdaConvNeXtV2Block):
            assert not block.norm_avg.weight.any() and not block.norm_avg.bias.any()
