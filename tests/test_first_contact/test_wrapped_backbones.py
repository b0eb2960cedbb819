"""What a wrapped backbone of one's own config meets first."""

import pytest
import torch
from adapters import adapter, build
from backbone_libraries import import_or_skip
from selection import slow_but
from torch import nn

from mmtemporal.models import TAda2D, TAdaConvNeXtV2
from mmtemporal.models.adapter.insertion_points import find_insertion_points
from mmtemporal.models.adapter.tracing import trace_backbone
from mmtemporal.models.layers import TAM, OnFrames, TAdaConv2d, TAdaConv3d

RESNET = dict(type='ResNet', depth=18)
FLOW = (1, 2, 3, 6, 10, 15, 64)


def calibrated(net):
    return [
        n for n, m in net.named_modules() if isinstance(m, (TAdaConv2d, TAdaConv3d))
    ]


@pytest.mark.parametrize('channels', slow_but([10], FLOW))
def test_the_stem_is_one_whatever_its_channels(channels):
    by_adapter = adapter(dict(RESNET, in_channels=channels), 'TAdaConv2d')
    assert calibrated(by_adapter) == calibrated(adapter(RESNET, 'TAdaConv2d'))
    conv_cfg = dict(type='mmtemporal.TAdaConv2d', num_segments=4)
    by_config = build(dict(RESNET, in_channels=channels, conv_cfg=conv_cfg))
    assert type(by_config.conv1.conv) is nn.Conv2d
    assert len(calibrated(by_config)) == len(calibrated(by_adapter)) == 16
    with pytest.raises(ValueError, match=f'expected in_channels={channels};'):
        by_adapter(torch.rand(4, channels + 1, 32, 32))


@pytest.mark.parametrize(
    'backbone, kind',
    [
        (RESNET, TAdaConv2d),
        (dict(type='MobileNetV2'), TAdaConv2d),
        (dict(type='ResNet3d', depth=18, pretrained2d=False), TAdaConv3d),
        (
            dict(type='ResNet3dCSN', depth=50, pretrained=None, pretrained2d=False),
            TAdaConv3d,
        ),
    ],
    ids=lambda value: getattr(value, '__name__', None) or value['type'],
)
def test_tada_conv_is_of_the_kind_that_the_backbone_has(backbone, kind):
    found = [
        m for m in adapter(backbone, 'TAdaConv').modules() if hasattr(m, 'routing')
    ]
    assert found and all(type(module) is kind for module in found)


@pytest.mark.parametrize('kind', [TAM, 'TAM', 'mmtemporal.TAM'])
def test_the_type_of_a_layer_in_any_form(kind):
    assert len(adapter(RESNET, dict(type=kind)).temporal_layers()) == 8


NON_LOCAL = dict(
    type='ResNetTSM',
    depth=50,
    num_segments=4,
    norm_eval=False,
    non_local=((0, 0, 0), (1, 0, 1, 0), (1, 0, 1, 0, 1, 0), (0, 0, 0)),
    non_local_cfg=dict(
        sub_sample=True,
        use_scale=False,
        norm_cfg=dict(type='BN3d', requires_grad=True),
        mode='embedded_gaussian',
    ),
)


@pytest.mark.parametrize('layer, number', [('TAM', 16), ('LongTermTDM', 13)])
def test_blocks_inside_of_non_local_ones_have_the_layer(layer, number):
    assert len(adapter(NON_LOCAL, layer).temporal_layers()) == number


def test_blocks_are_not_skipped_without_a_word():
    net = build(RESNET)
    net.layer2[1] = nn.Identity()  # as whoever wraps blocks by another name
    trace = trace_backbone(net, 'mmaction2', 4)
    with pytest.raises(
        ValueError, match='no insertion points in 1 of 8 blocks .* such as layer2.1;'
    ):
        find_insertion_points(net, trace, None, TAM)


def test_networks_for_images_of_one_size():
    c3d = dict(type='C3D', conv_cfg=dict(type='Conv3d'), act_cfg=dict(type='ReLU'))
    assert len(adapter(c3d, 'TAdaConv', 16).temporal_layers()) == 7
    of_160 = dict(c3d, out_dim=512 * 36)  # 6 x 6 pixels behind the last pool
    with pytest.raises(ValueError, match='backbone.image_size'):
        adapter(of_160, 'TAdaConv', 16)
    net = adapter(of_160, 'TAdaConv', 16, image_size=160)
    assert len(net.temporal_layers()) == 7


@pytest.mark.parametrize('extra', [0, 1])
@pytest.mark.parametrize('layout', ['NTLC', 'NLTC'])
def test_tokens_of_clips(layout, extra):
    n, t, length, c = 2, 4, 6, 16
    layer = TAM(c, t).double().eval()
    frames = torch.randn(n, t, length, c, dtype=torch.float64)
    mixed = layer(frames.permute(0, 1, 3, 2).reshape(n * t, c, length, 1))
    mixed = mixed.reshape(n, t, c, length).permute(0, 1, 3, 2)
    classes = torch.randn(n, extra, c, dtype=torch.float64)

    def join(x):
        x = x if layout == 'NTLC' else x.transpose(1, 2)
        return torch.cat((classes, x.flatten(1, 2)), 1)

    found = OnFrames(layer, layout=layout, num_segments=t)(join(frames))
    torch.testing.assert_close(found, join(mixed))


TRANSFORMERS = {
    'TimeSformer': dict(
        type='TimeSformer',
        num_frames=4,
        img_size=32,
        patch_size=16,
        embed_dims=32,
        num_heads=4,
        num_transformer_layers=2,
    ),
    'VideoMAE': dict(
        type='VisionTransformer', img_size=32, embed_dims=32, depth=2, num_heads=4
    ),
    'MViT': dict(type='MViT', arch='tiny', spatial_size=64, temporal_size=16),
    'Swin': dict(
        type='SwinTransformer3D',
        arch=dict(embed_dims=16, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8]),
    ),
}
SETTINGS = [
    ('TimeSformer', dict(attention_type='divided_space_time'), 4, 32),
    ('TimeSformer', dict(attention_type='joint_space_time'), 4, 32),
    ('TimeSformer', dict(attention_type='space_only'), 4, 32),
    ('VideoMAE', dict(num_frames=8), 8, 32),
    ('MViT', {}, 16, 64),
    ('Swin', {}, 8, 32),
]


@pytest.mark.parametrize('name, changes, frames, size', SETTINGS)
def test_a_layer_in_a_transformer_mixes_the_frames_of_each_clip(
    name, changes, frames, size
):
    """The averages over frames that it computes are those of this clip alone."""
    layer = dict(type='TemporalMean')
    net = adapter({**TRANSFORMERS[name], **changes}, layer, frames).double().eval()
    assert net.temporal_layers()
    x = torch.randn(2, 3, frames, size, size, dtype=torch.float64)

    def features(clips):
        out = net(clips)
        while isinstance(out, (tuple, list)):
            out = out[-1]
        return out

    both, one = features(x), features(x[1:])
    torch.testing.assert_close(both[1:], one)


class Unused(nn.Module):
    """A convolution behind the features, as some networks have for a classifier."""

    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1))
        self.head = nn.Conv2d(8, 16, 1)

    def forward(self, x):
        return self.layer1(x)


def test_what_gets_no_gradient_is_frozen():
    net = adapter(dict(type=Unused), where=r'layer1\.0', position='after')
    frozen = [n for n, p in net.named_parameters() if not p.requires_grad]
    assert frozen == ['backbone.head.weight', 'backbone.head.bias']
    net.train()
    net(torch.randn(4, 3, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in net.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    'name', ['timm.mobilenetv3_small_050', 'timm.ghostnet_050', 'torchvision.swin_t']
)
def test_networks_of_other_libraries_have_no_parameter_left_over(name):
    import_or_skip(name.partition('.')[0])
    net = adapter(dict(type=name), 'TAM').train()
    net(torch.randn(8, 3, 64, 64)).sum().backward()
    named = net.named_parameters()
    assert not [n for n, p in named if p.requires_grad and p.grad is None]


def test_boxes_of_a_detector_have_features_of_their_own():
    arch = dict(depths=(1, 1, 1, 1), channels=(16, 16, 16, 16), head_dim=8)
    nets = TAda2D(18, 8), TAdaConvNeXtV2(arch, 8)
    for net in nets:
        with torch.no_grad():
            maps = net.eval()(torch.randn(1, 3, 8, 128, 128)).mean(2)
        assert maps.shape[-2:] == (4, 4)
        assert maps.std((2, 3)).max() > 1e-2


@pytest.mark.parametrize('layer', ['TAM', 'TAdaConv'])
def test_stages_behind_the_features_have_no_layers(layer):
    net = adapter(dict(RESNET, out_indices=(1,)), layer).train()
    assert net.temporal_layers()
    net(torch.randn(4, 3, 64, 64)).sum().backward()
    named = net.named_parameters()
    assert not [n for n, p in named if p.requires_grad and p.grad is None]


@pytest.mark.parametrize('layer', ['TAM', 'TemporalShift'])
def test_a_stem_with_the_names_of_another_network_is_no_place(layer):
    import_or_skip('timm')
    with pytest.raises(ValueError, match='cannot be told; change backbone.where'):
        adapter(dict(type='timm.hrnet_w18_small'), layer)


def test_torchvision_transformers_give_features_and_no_scores():
    import_or_skip('torchvision')
    net = adapter(dict(type='torchvision.vit_b_32'), 'TAM').eval()
    with torch.no_grad():
        assert net(torch.randn(4, 3, 224, 224)).shape == (4, 768, 1, 1)


def test_a_scope_in_the_config_of_a_layer():
    layer = dict(type='TAM', _scope_='mmtemporal')
    assert len(adapter(RESNET, layer).temporal_layers()) == 8
