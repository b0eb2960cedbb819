"""Weights for colours in networks that see optical flow or grey frames."""

import re

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from network_names import RESNETS
from own_checkpoints import QUICK
from selection import slow_but
from small_tada_formers import build, build_trained

CONVNEXT = dict(depths=(1, 1, 1, 1), channels=(16, 32, 64, 128))
CONVNEXTS = {
    'TAdaConvNeXt': CONVNEXT,
    'TAdaConvNeXtV2': dict(CONVNEXT, head_dim=8),
}
channels = pytest.mark.parametrize('channels', [1, 10])
resnets = pytest.mark.parametrize('kind', slow_but(QUICK, RESNETS))


def backbone(kind, **changes):
    scope = '' if kind == 'ResNet' else 'mmtemporal.'
    cfg = dict(type=f'{scope}{kind}', **changes)
    if scope:
        cfg['num_segments'] = 4
    if kind in CONVNEXTS:
        cfg['arch'] = CONVNEXTS[kind]
    else:
        cfg['depth'] = 18
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(cfg)


def shaken(kind, **changes):
    model = backbone(kind, **changes)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(torch.rand_like(tensor))
    return model.state_dict()


@pytest.fixture
def log(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def write(state, layout, file):
    """Write a ResNet as other programs have it."""
    if layout == 'torchvision':
        rename = backbone('TANet').image_name
        state = {rename(name): tensor for name, tensor in state.items()}
        state['fc.weight'] = torch.rand(10, 512)
    elif layout == 'recognizer':
        state = {f'backbone.{name}': tensor for name, tensor in state.items()}
        state['cls_head.fc_cls.weight'] = torch.rand(10, 512)
    torch.save(state if layout == 'torchvision' else dict(state_dict=state), file)


def assert_repeated(stem, colours):
    mean = colours.mean(1, keepdim=True)
    torch.testing.assert_close(stem, mean.expand_as(stem), rtol=1e-6, atol=1e-6)


@resnets
@pytest.mark.parametrize(
    ('channels', 'layout'), [(1, 'torchvision'), (10, 'recognizer'), (10, 'backbone')]
)
def test_resnets(kind, channels, layout, tmp_path, log):
    file = str(tmp_path / 'colours.pth')
    state = shaken('ResNet')
    write(state, layout, file)
    model = backbone(kind, in_channels=channels, pretrained=file)
    model.init_weights()
    stem = state['conv1.conv.weight']
    assert model.conv1.conv.weight.shape == (64, channels, 7, 7)
    assert_repeated(model.conv1.conv.weight, stem)
    if kind == 'TDN':
        assert model.diff_conv1.conv.weight.shape == (64, 4 * channels, 7, 7)
        assert_repeated(model.diff_conv1.conv.weight, stem)
    assert torch.equal(model.layer4[1].state_dict()[_last(kind)], state[LAST])
    assert 'averaged over colours' in log.text and 'conv1.conv.weight' in log.text


LAST = 'layer4.1.conv2.conv.weight'


def _last(kind):
    return 'block.conv2.conv.weight' if kind == 'TANet' else 'conv2.conv.weight'


@resnets
@channels
def test_own_networks_for_colours(kind, channels, tmp_path, log):
    file = str(tmp_path / 'colours.pth')
    state = shaken(kind)
    write(state, 'recognizer', file)
    model = backbone(kind, in_channels=channels, pretrained=file)
    model.init_weights()
    assert 'averaged over colours' in log.text
    for name, tensor in model.state_dict().items():
        if name == 'conv1.conv.weight':
            assert_repeated(tensor, state[name])
        elif name == 'diff_conv1.conv.weight':
            for i in range(4):  # differences
                ours = tensor[:, channels * i : channels * (i + 1)]
                assert_repeated(ours, state[name][:, 3 * i : 3 * i + 3])
        else:
            assert torch.equal(tensor, state[name]), name
    # As a trained network, which is no pretrained initialisation, it does not fit.
    with pytest.raises(ValueError, match='conv1.conv.weight.* mismatched'):
        backbone(kind, in_channels=channels).load_state_dict(state, strict=False)


@channels
@pytest.mark.parametrize('kind', CONVNEXTS)
@pytest.mark.parametrize('own', [False, True], ids=['images', 'own'])
def test_convnexts(kind, channels, own, tmp_path, log):
    file = str(tmp_path / 'colours.pth')
    state = shaken(kind)
    if own:
        torch.save({f'backbone.{k}': v for k, v in state.items()}, file)
    else:
        for name in [*state]:
            if '.routing.' in name or '.norm_avg.' in name:
                del state[name]
        state[STEM] = state[STEM][:, :, 1]
        torch.save(dict(model=state), file)
    model = backbone(kind, in_channels=channels, pretrained=file)
    model.init_weights()
    stem = model.state_dict()[STEM]
    assert stem.shape == (16, channels, 3, 4, 4)
    if own:
        assert_repeated(stem, state[STEM])
    else:
        assert_repeated(stem[:, :, 1], state[STEM])
        assert not stem[:, :, [0, 2]].any()
    assert 'averaged over colours' in log.text and STEM in log.text
    assert torch.equal(model.norm.weight, state['norm.weight'])


STEM = 'downsample_layers.0.0.weight'


@channels
@pytest.mark.parametrize('own', [False, True], ids=['images', 'own'])
def test_tadaformer(channels, own, tmp_path, log):
    file = str(tmp_path / 'colours.pth')
    state = build_trained().float().state_dict()
    colours = state['conv1.weight'].clone()
    if own:
        torch.save({f'backbone.{k}': v for k, v in state.items()}, file)
    else:  # as OpenAI has it
        for name in [name for name in state if '.tada' in name]:
            del state[name]
        state['conv1.weight'] = colours[:, :, 1]
        clip = {
            re.sub(r'^layers', 'transformer.resblocks', name): tensor
            for name, tensor in state.items()
        }
        torch.save({f'visual.{name}': tensor for name, tensor in clip.items()}, file)
    model = build(in_channels=channels, pretrained=file).float()
    model.init_weights()
    stem = model.conv1.weight
    assert stem.shape == (32, channels, 3, 4, 4)
    if own:
        assert_repeated(stem, colours)
    else:
        assert_repeated(stem[:, :, 1], colours[:, :, 1])
        assert not stem[:, :, [0, 2]].any()
    assert 'averaged over colours' in log.text and 'conv1.weight' in log.text
    assert torch.equal(model.ln_post.weight, state['ln_post.weight'])


@channels
def test_wrapped_backbones(channels, tmp_path, log):
    file = str(tmp_path / 'colours.pth')
    state = shaken('ResNet')
    write(state, 'recognizer', file)
    for way in ('init_cfg', 'load_from'):
        rule = dict(type='Pretrained', checkpoint=file)
        cfg = dict(
            type='mmtemporal.TemporalAdapter',
            backbone=dict(type='ResNet', depth=18, in_channels=channels),
            temporal=dict(type='TAM'),
            num_segments=4,
            init_cfg=rule if way == 'init_cfg' else None,
        )
        with DefaultScope.overwrite_default_scope('mmaction'):
            model = MODELS.build(cfg)
        model.init_weights()
        if way == 'load_from':
            load_checkpoint(model, file)
        stem = model.backbone.conv1.conv.weight
        assert_repeated(stem, state['conv1.conv.weight'])
        assert torch.equal(model.backbone.conv1.bn.weight, state['conv1.bn.weight'])
        assert '(backbone.conv1.conv.weight)' in log.text
        log.clear()
    trained = {k: v for k, v in model.state_dict().items()}
    trained['backbone.conv1.conv.weight'] = torch.rand(64, 3, 7, 7)
    with pytest.raises(ValueError, match='backbone.conv1.conv.weight.* mismatched'):
        model.load_state_dict(trained, strict=False)


@resnets
def test_flow_is_not_repeated(kind, tmp_path):
    file = str(tmp_path / 'flow.pth')
    write(shaken('ResNet', in_channels=10), 'torchvision', file)
    flow = backbone(kind, in_channels=10, pretrained=file)
    flow.init_weights()
    model = backbone(kind, pretrained=file)
    with pytest.raises(ValueError, match=r'1 \(conv1.conv.weight .* mismatched'):
        model.init_weights()
