"""What TAda2D offers beyond the other backbones: its start, and aggregations."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.models.backbones import ResNet
from parity import build_recognizer, load_fixture, make_state_dict
from torch import nn

from mmtemporal.checkpoints import convert_state_dict
from mmtemporal.models.layers import ConvRouting, TAdaConv2d

T = 4


def build(depth=18, **changes):
    backbone = dict(depth=depth, num_segments=T, **changes)
    return build_recognizer('tada2d_r50', backbone=backbone, cls_head=None).backbone


def imagenet_state_dict(depth):
    """Return a ResNet in torchvision's layout, with weights that keep a signal."""
    network = ResNet(depth)
    network.init_weights()
    state = {}
    for key, value in network.state_dict().items():
        block, layer, part, tensor = (
            key.rsplit('.', 3)
            if key.count('.') > 2
            else (
                '',
                *key.split('.'),
            )
        )
        if layer == 'downsample':
            name = f'downsample.{0 if part == "conv" else 1}.{tensor}'
        else:
            name = (
                f'{layer if part == "conv" else layer.replace("conv", "bn")}.{tensor}'
            )
        if part == 'bn' and value.dim():
            value = torch.rand_like(value) + (0.5 if tensor in _SCALES else -0.5)
        state[f'{block}.{name}'.lstrip('.')] = value
    return {**state, 'fc.weight': torch.rand(9, 9), 'fc.bias': torch.rand(9)}


_SCALES = ('weight', 'running_var')


def frame_wise_resnet(state, depth, x):
    """The ResNet of a file, without max-pool and with a strided first stage."""

    def norm(x, name):
        values = [state[f'{name}.{key}'] for key in _NORM]
        return F.batch_norm(x, *values, eps=1e-5)

    def conv(x, name, stride=1, padding=0):
        return F.conv2d(x, state[f'{name}.weight'], None, stride, padding)

    x = F.relu(norm(conv(x, 'conv1', 2, 3), 'bn1'))
    for stage, blocks in enumerate(ResNet.arch_settings[depth][1], 1):
        for i in range(blocks):
            name, stride = f'layer{stage}.{i}', 2 if i == 0 else 1
            out = x
            # (kernel, stride) of the convolutions.
            plan = [(3, stride), (3, 1)]
            if depth >= 50:
                plan = [(1, 1), (3, stride), (1, 1)]
            for j, (kernel, step) in enumerate(plan, 1):
                out = conv(out, f'{name}.conv{j}', step, kernel // 2)
                out = norm(out, f'{name}.bn{j}')
                out = F.relu(out) if j < len(plan) else out
            if f'{name}.downsample.0.weight' in state:
                x = conv(x, f'{name}.downsample.0', stride)
                x = norm(x, f'{name}.downsample.1')
            elif stride == 2:
                # The shortcut that ResNet-18 does not have starts as the identity,
                # under a batch norm as new.
                x = x[..., ::2, ::2] / (1 + 1e-5) ** 0.5
            x = F.relu(out + x)
    return x


_NORM = ('running_mean', 'running_var', 'weight', 'bias')


@pytest.mark.parametrize('depth', [18, 50])
def test_with_imagenet_weights_it_starts_as_a_frame_wise_resnet(depth, tmp_path):
    state = imagenet_state_dict(depth)
    torch.save(state, tmp_path / 'resnet.pth')
    backbone = build(depth)
    backbone.pretrained = str(tmp_path / 'resnet.pth')
    backbone.init_weights()
    x = torch.randn(2 * T, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        y = backbone.double().eval()(x)
        state = {k: v.double() for k, v in state.items()}
        expected = frame_wise_resnet(state, depth, x)
    assert y.std() > 0.01
    torch.testing.assert_close(y, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('depth', [18, 50])
def test_the_identity_survives_init_weights(depth):
    backbone = build(depth)
    backbone.init_weights()
    seen = []
    for module in backbone.modules():
        if isinstance(module, ConvRouting):
            module.register_forward_hook(lambda *args: seen.append(args[2][0]))
    with torch.no_grad():
        for mode in (True, False):
            backbone.train(mode)(torch.randn(2 * T, 3, 32, 32))
    assert len(seen) == 2 * sum(backbone.stage_blocks)
    assert not any(deviation.any() for deviation in seen)
    norms = [
        module
        for key, module in backbone.named_modules()
        if key.endswith('aggregation.avg')
    ]
    assert len(norms) == sum(backbone.stage_blocks)
    assert not any(norm.weight.any() or norm.bias.any() for norm in norms)
    # But the routing functions can learn.
    assert all(
        module.a.weight.std() > 0.01
        for module in backbone.modules()
        if isinstance(module, ConvRouting)
    )


def test_checkpoints_of_its_own_are_not_reset(tmp_path):
    source = build()
    for parameter in source.parameters():
        nn.init.normal_(parameter)
    torch.save(source.state_dict(), tmp_path / 'tada.pth')
    file = str(tmp_path / 'tada.pth')
    backbone = build(init_cfg=dict(type='Pretrained', checkpoint=file))
    backbone.init_weights()
    torch.testing.assert_close(backbone.state_dict(), source.state_dict())


def test_calibrated_convolutions_are_those_with_the_stride():
    for depth, kernel in ((18, 'conv1'), (50, 'conv2')):
        backbone = build(depth)
        found = {
            key: module
            for key, module in backbone.named_modules()
            if isinstance(module, TAdaConv2d)
        }
        assert len(found) == sum(backbone.stage_blocks)
        assert all(key.endswith(f'.{kernel}.conv') for key in found)
        assert [m.stride[0] for m in found.values()].count(2) == 4
        assert all(m.kernel_size == (3, 3) for m in found.values())
        assert not any(isinstance(m, nn.MaxPool2d) for m in backbone.modules())


@pytest.mark.parametrize('separate', [True, False])
@pytest.mark.parametrize('aggregation', ['avg', 'max', 'mix', None])
def test_aggregations(aggregation, separate):
    backbone = build(aggregation=aggregation, separate_norm=separate).double().eval()
    module = backbone.layer1[0].conv1
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    for key, buffer in module.named_buffers():
        if 'running' in key:
            nn.init.uniform_(buffer, 0.5, 2)
    x = torch.randn(2 * T, 64, 8, 8, dtype=torch.float64)
    y = module.conv(x)
    clips = F.pad(y.unflatten(0, (2, T)), (0, 0, 0, 0, 0, 0, 1, 1))
    average = (clips[:, :-2] + clips[:, 1:-1] + clips[:, 2:]).flatten(0, 1) / 3
    clips[:, [0, -1]] = float('-inf')
    maximum = clips[:, :-2].maximum(clips[:, 1:-1]).maximum(clips[:, 2:]).flatten(0, 1)
    pooled = dict(avg=average, max=maximum)
    modes = {None: [], 'mix': ['avg', 'max']}.get(aggregation, [aggregation])
    if separate:
        expected = module.bn(y)
        for mode in modes:
            expected = expected + module.aggregation[mode](pooled[mode])
    else:
        expected = module.bn(y + sum(pooled[mode] for mode in modes))
    torch.testing.assert_close(module(x), expected.relu())
    torch.testing.assert_close(module.fold()(x), expected.relu())


def test_options_of_the_routing_function():
    routing = dict(reduction=8, kernel_sizes=(1, 3), use_global=False)
    layer = build(routing=routing).layer1[0].conv1.conv.routing
    assert layer.a.weight.shape == (8, 64, 1)
    assert not hasattr(layer, 'g')
    attention = build(routing=dict(type='attention', head_dim=16)).layer1[0].conv1
    assert attention.conv.routing.num_heads == 2


def test_unknown_aggregation_is_named():
    with pytest.raises(ValueError, match="backbone.aggregation='sum' is none of"):
        build(aggregation='sum')


def test_names_of_the_release():
    weights = make_state_dict(load_fixture('tada2d_r50_8f'))
    converted = convert_state_dict(dict(epoch=1, model_state=weights, cfg='{}'))
    assert len(converted) == len(weights) == 560
