"""Convolutions as the ``conv_cfg`` of MMAction2's backbones."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from torch import nn

from mmtemporal.models.layers import Conv2plus1d, ConvRouting, TAdaConv2d, TAdaConv3d

T = 4
TADA_2D = dict(type='mmtemporal.TAdaConv2d', num_segments=T)
TADA_3D = dict(type='mmtemporal.TAdaConv3d')
TWO_STEPS = dict(type='mmtemporal.Conv2plus1d')


def build(**cfg):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(cfg)


def kinds(backbone, *classes):
    """Return the class of each convolution, by the name of its ConvModule."""
    return {
        name.removesuffix('.conv'): type(module)
        for name, module in backbone.named_modules()
        if isinstance(module, classes)
    }


SHALLOW = dict(num_stages=2, out_indices=(1,), strides=(1, 2), dilations=(1, 1))
NETWORKS = [
    (dict(SHALLOW, type='ResNet', depth=50), TADA_2D),
    (dict(SHALLOW, type='ResNet', depth=18), dict(TADA_2D, calibrate='cout')),
    (dict(type='MobileNetV2'), dict(TADA_2D, routing=dict(reduction=8))),
    (dict(SHALLOW, type='C2D', depth=18), dict(TADA_2D, num_segments=T // 2)),
    (
        dict(
            type='ResNet3d',
            depth=50,
            base_channels=16,
            pretrained2d=False,
            inflate_style='3x3x3',
        ),
        TADA_3D,
    ),
    (dict(type='ResNet3dSlowOnly', depth=50, base_channels=16), TADA_3D),
    (dict(type='X3D'), dict(TADA_3D, calibrate='cout')),
]


@pytest.mark.parametrize(
    ('wrapped', 'conv_cfg'), NETWORKS, ids=lambda value: value['type'].split('.')[-1]
)
def test_calibrated_networks_start_as_the_plain_ones(wrapped, conv_cfg):
    plain = build(**wrapped).double()
    model = build(**wrapped, conv_cfg=conv_cfg).double()
    routings = [m for m in model.modules() if isinstance(m, ConvRouting)]
    assert routings
    model.init_weights()
    assert not any(routing.b.weight.any() for routing in routings)
    assert all(routing.a.weight.any() for routing in routings)
    missing, unexpected = model.load_state_dict(plain.state_dict(), strict=False)
    assert unexpected == [] and all('.routing.' in name for name in missing)
    x = torch.randn(2 * T, 3, 32, 32, dtype=torch.float64)
    if wrapped['type'] not in ('ResNet', 'MobileNetV2'):
        x = x.unflatten(0, (2, T)).transpose(1, 2)
    for training in (True, False):
        plain.train(training), model.train(training)
        torch.testing.assert_close(model(x), plain(x), rtol=1e-9, atol=1e-12)


def test_calibrated_are_those_that_see_neighbouring_pixels_of_maps():
    model = build(type='ResNet', depth=50, conv_cfg=TADA_2D)
    for name, kind in kinds(model, nn.Conv2d).items():
        assert kind is (TAdaConv2d if name.endswith('conv2') else nn.Conv2d), name
    assert model.layer1[0].conv2.conv.num_segments == T

    model = build(type='MobileNetV2', conv_cfg=TADA_2D)
    for name, kind in kinds(model, nn.Conv2d).items():
        # The first block has no expansion in front of it.
        place = '0' if name.startswith('layer1') else '1'
        depthwise = name.endswith(f'.conv.{place}')
        assert kind is (TAdaConv2d if depthwise else nn.Conv2d), name

    model = build(type='ResNet3dSlowOnly', depth=50, conv_cfg=TADA_3D)
    found = kinds(model, nn.Conv3d)
    for name, kind in found.items():
        assert kind is (TAdaConv3d if name.endswith('conv2') else nn.Conv3d), name
    assert model.layer4[0].conv1.conv.kernel_size == (3, 1, 1)


def test_frames_mix_and_every_routing_learns():
    model = build(**SHALLOW, type='ResNet', depth=18, conv_cfg=TADA_2D).double()
    for module in model.modules():
        if isinstance(module, ConvRouting):
            nn.init.normal_(module.b.weight, std=0.05)
    x = torch.randn(2 * T, 3, 32, 32, dtype=torch.float64)
    y = model(x)
    y.square().sum().backward()
    assert all(parameter.grad.any() for parameter in model.parameters())
    backwards = model(x.unflatten(0, (2, T)).flip(1).flatten(0, 1))
    assert not torch.allclose(backwards.unflatten(0, (2, T)).flip(1).flatten(0, 1), y)


# --------------------------------------------------------------- in two steps


def test_two_steps_are_where_kernels_see_space_and_time():
    model = build(
        type='ResNet3d',
        depth=50,
        base_channels=8,
        pretrained2d=False,
        inflate_style='3x3x3',
        conv_cfg=TWO_STEPS,
    )
    for name, kind in kinds(model, Conv2plus1d, nn.Conv3d).items():
        if not name.endswith(('conv_s', 'conv_t')):
            both = name == 'conv1' or name.endswith('conv2')
            assert kind is (Conv2plus1d if both else nn.Conv3d), name
    assert model(torch.randn(2, 3, 8, 32, 32)).shape[:2] == (2, 256)


@pytest.mark.parametrize(
    'options',
    [
        dict(kernel_size=(3, 3, 3), padding=(1, 1, 1)),
        dict(kernel_size=3, padding=1),
        dict(kernel_size=(3, 5, 5), stride=(2, 1, 2), padding=(1, 2, 2), bias=False),
        dict(kernel_size=3, stride=2, dilation=2, groups=4),
    ],
)
def test_a_convolution_in_two_steps_has_the_shape_of_one(options):
    steps = build(
        type='mmtemporal.Conv2plus1d', in_channels=8, out_channels=12, **options
    )
    assert type(steps) is Conv2plus1d
    whole = nn.Conv3d(8, 12, **options)
    for name in ('in_channels', 'out_channels', 'kernel_size', 'stride', 'padding'):
        assert getattr(steps, name) == getattr(whole, name)
    assert (steps.conv_t.bias is None) == (whole.bias is None)
    assert steps.conv_s.bias is None
    x = torch.randn(2, 8, 7, 9, 10)
    assert steps(x).shape == whole(x).shape


def test_a_convolution_in_two_steps_sees_space_and_then_time():
    conv = Conv2plus1d(2, 3, (3, 3, 3), padding=(1, 1, 1)).double().eval()
    x = torch.randn(1, 2, 5, 6, 6, dtype=torch.float64)
    maps = nn.functional.conv3d(x, conv.conv_s.weight, padding=(0, 1, 1))
    maps = conv.bn_s(maps).relu()
    expected = nn.functional.conv3d(
        maps, conv.conv_t.weight, conv.conv_t.bias, padding=(1, 0, 0)
    )
    torch.testing.assert_close(conv(x), expected)
