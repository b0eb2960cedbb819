"""Weights for TAdaConvNeXt: its start from an image network, and what is refused."""

import re

import pytest
import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from torch import nn

from mmtemporal.checkpoints.convnext_names import facebook_name
from mmtemporal.models.backbones.tada_convnext import TAdaConvNeXt, TAdaConvNeXtV2
from mmtemporal.models.backbones.tada_convnext_block import TAdaConvNeXtV2Block
from mmtemporal.models.layers import quick_gelu

DEPTHS, CHANNELS = (1, 1, 2, 1), (32, 64, 128, 256)
ARCHS = {
    TAdaConvNeXt: dict(depths=DEPTHS, channels=CHANNELS),
    TAdaConvNeXtV2: dict(depths=DEPTHS, channels=CHANNELS, head_dim=16),
}
both = pytest.mark.parametrize('network', ARCHS)


def build(network, **options):
    """Builds a small network for clips of four frames, its blocks at work."""
    defaults = dict(arch=ARCHS[network], num_segments=4, layer_scale_init_value=1.0)
    return network(**{**defaults, **options})


def randomise(model):
    """Takes a network away from its start, where much of it is zero."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model


# ------------------------------------------------------ the image network


def facebook_state_dict():
    """Returns a random ConvNeXt as Facebook's release has it."""
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
    """Writes an image network in the layout of a library."""
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


def test_recognizers_of_image_networks(tmp_path):
    """As a TSN with mmpretrain's ConvNeXt has it."""
    weights = facebook_state_dict()
    path = image_file(tmp_path / 'convnext.pth', 'mmpretrain', weights)
    state = torch.load(path)['state_dict']
    state = {k: v for k, v in state.items() if k.startswith('backbone.')}
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


# ----------------------------------------------------------- initial weights


def assert_starts_as_the_identity(backbone):
    for block in (block for stage in backbone.stages for block in stage):
        routing = block.dwconv.routing
        assert not routing.b.weight.any() and not routing.b_bias.weight.any()
        assert routing.a.weight.any()
        if isinstance(block, TAdaConvNeXtV2Block):
            assert not block.norm_avg.weight.any() and not block.norm_avg.bias.any()


@both
def test_initial_weights(network):
    backbone = build(network)
    assert_starts_as_the_identity(backbone)
    backbone.init_weights()
    assert_starts_as_the_identity(backbone)
    for name, parameter in backbone.named_parameters():
        if re.search(r'\.b(_bias)?\.weight|norm_avg', name):
            continue
        if name.endswith('bias'):
            assert not parameter.any(), name
        elif parameter.dim() == 1:
            assert parameter.eq(1).all(), name
        elif parameter.numel() > 1000:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.1), name
    # A second call must not undo what was learnt meanwhile.
    before = {k: v.clone() for k, v in randomise(backbone).state_dict().items()}
    backbone.init_weights()
    torch.testing.assert_close(backbone.state_dict(), before, rtol=0, atol=0)


@both
def test_zeros_survive_rules_for_all_layers(network):
    rules = [
        dict(type='Kaiming', layer=['Conv1d', 'Conv2d', 'Linear']),
        dict(type='Constant', layer=['LayerNorm', 'BatchNorm1d'], val=1, bias=2),
    ]
    backbone = build(network, init_cfg=rules)
    backbone.init_weights()
    assert_starts_as_the_identity(backbone)
    assert backbone.norm.bias.eq(2).all()


@both
def test_checkpoint_of_the_backbone_is_kept_whole(network, tmp_path):
    trained = randomise(build(network)).state_dict()
    state_dict = {f'backbone.{name}': x for name, x in trained.items()}
    torch.save(dict(state_dict=state_dict), tmp_path / 'x.pth')
    cfg = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'x.pth'), prefix='backbone.'
    )
    # More frames, and without the last stages: the tensors are the same.
    for options in ({}, dict(num_segments=6), dict(out_indices=(2,))):
        options = {'num_segments': 4, **options}
        backbone = network(ARCHS[network], init_cfg=cfg, **options)
        backbone.init_weights()
        for name, tensor in backbone.state_dict().items():
            assert torch.equal(tensor, trained[name]), name


@both
def test_checkpoints_of_another_network_are_refused(network):
    backbone = build(network)

    def refused(match, other):
        with pytest.raises(ValueError, match=match):
            backbone.load_state_dict(other.state_dict(), strict=False)

    deep = dict(ARCHS[network], depths=(1, 1, 3, 1))
    match = r'0 missing, [1-9]\d* \(stages.2.2.* unexpected, .*set .*backbone.arch'
    refused(match, build(network, arch=deep))
    wide = dict(ARCHS[network], channels=(64, 128, 256, 512))
    refused('mismatched; set .*backbone.arch', build(network, arch=wide))
    (other,) = ARCHS.keys() - {network}
    # Some tensors of the routing functions have one name in both.
    refused(f'not fit this {network.__name__} .* missing, ', build(other))
    state = {k: v for k, v in backbone.state_dict().items() if '.routing.' not in k}
    with pytest.raises(
        ValueError, match=f'not fit this {network.__name__} .*: [1-9].* missing'
    ):
        backbone.load_state_dict(state, strict=False)
