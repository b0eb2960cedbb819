"""The temporal adapter in 3-D networks: published rows, and temporal convolutions."""

from copy import deepcopy

import pytest
import torch
from adapted_networks import FAST, PATHWAY, SLOW, TWO_STEPS, scores
from mmaction.registry import MODELS
from mmcv.cnn import ConvModule
from mmengine.registry import DefaultScope
from torch import nn

from mmtemporal.models.layers import (
    SingleFrameConv3d,
)

SLOW_ONLY = dict(
    type='ResNet3dSlowOnly',
    depth=50,
    lateral=False,
    conv1_kernel=(1, 7, 7),
    conv1_stride_t=1,
    pool1_stride_t=1,
    inflate=(0, 0, 1, 1),
)
R3D = dict(
    type='ResNet3d',
    depth=50,
    pretrained2d=False,
    conv1_kernel=(1, 7, 7),
    conv1_stride_t=1,
    pool1_stride_t=1,
    with_pool2=False,
    inflate_style='3x3x3',
)
R2PLUS1D = dict(R3D, conv_cfg=TWO_STEPS)
SLOW_FAST = dict(
    type='ResNet3dSlowFast',
    resample_rate=8,
    speed_ratio=8,
    slow_pathway=dict(**PATHWAY, **SLOW),
    fast_pathway=dict(**PATHWAY, **dict(FAST, base_channels=8)),
)
SPATIAL, TEMPORAL = 'spatial_convs', 'temporal_convs'


def build_clip_network(wrapped, num_segments, **adapter):
    """Build a stock recognizer, bare if nothing is said of layers."""
    backbone = deepcopy(wrapped)
    if adapter:
        backbone = dict(
            type='mmtemporal.TemporalAdapter',
            backbone=backbone,
            num_segments=num_segments,
            **adapter,
        )
    head = dict(type='I3DHead', in_channels=32 * wrapped.get('base_channels', 64))
    if wrapped['type'] == 'ResNet3dSlowFast':
        head = dict(type='SlowFastHead', in_channels=2304)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(
            dict(
                type='Recognizer3D',
                backbone=backbone,
                cls_head=dict(head, num_classes=400),
            )
        )


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ('wrapped', 'num_segments', 'where', 'size', 'more'),
    [
        (SLOW_ONLY, 8, SPATIAL, 32_454_096, 3_150_288),
        (SLOW_FAST, 32, SPATIAL, 34_479_288, 3_200_234),
        (R2PLUS1D, 8, SPATIAL, 28_107_600, 3_150_288),
        (R2PLUS1D, 8, [SPATIAL, TEMPORAL], 28_107_600, 6_300_576),
        (R3D, 8, SPATIAL, 46_962_128, 3_150_288),
    ],
    ids=['SlowOnly', 'SlowFast', 'R(2+1)D-2d', 'R(2+1)D-2d+1d', 'R3D'],
)
def test_parameters_of_published_calibrated_networks(
    wrapped, num_segments, where, size, more
):
    tada = dict(temporal=dict(type='TAdaConv3d'), where=where)
    with torch.device('meta'):
        stock = build_clip_network(wrapped, num_segments)
        model = build_clip_network(wrapped, num_segments, **tada)
    assert count(stock) == size
    assert count(model) - size == more


@pytest.mark.parametrize('wrapped', [R2PLUS1D, R3D], ids=['R(2+1)D', 'R3D'])
def test_calibrated_convolutions_in_time_change_nothing_at_first(wrapped):
    wrapped = dict(wrapped, base_channels=8)
    stock = build_clip_network(wrapped, 4).double().eval()
    where = [SPATIAL, TEMPORAL] if 'conv_cfg' in wrapped else SPATIAL
    tada = dict(temporal=dict(type='TAdaConv3d'), where=where)
    model = build_clip_network(wrapped, 4, **tada).double().eval()
    model.load_state_dict(stock.state_dict(), strict=False)
    x = torch.randn(2, 1, 3, 4, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(scores(model, x), scores(stock, x), rtol=1e-9, atol=0)


def test_tam_in_place_of_the_temporal_convolutions_of_slowfast():
    with torch.device('meta'):
        model = build_clip_network(SLOW_FAST, 32, temporal=dict(type='TAM'))
    assert count(model) == 27_129_452
    frames = {
        name.removeprefix('backbone.').removesuffix(
            '.conv1.temporal'
        ): layer.num_segments
        for name, layer in model.backbone.temporal_layers().items()
    }
    blocks = {1: 3, 2: 4, 3: 6, 4: 3}
    assert frames == {
        f'{path}_path.layer{stage}.{i}': t
        for path, t, stages in (('slow', 4, (3, 4)), ('fast', 32, (1, 2, 3, 4)))
        for stage in stages
        for i in range(blocks[stage])
    }


def test_a_still_clip_is_seen_as_by_the_temporal_convolution():
    conv = nn.Conv3d(6, 4, (3, 1, 1), padding=(1, 0, 0)).double()
    thin = SingleFrameConv3d(conv).double()
    x = torch.randn(2, 6, 1, 5, 5, dtype=torch.float64).expand(-1, -1, 8, -1, -1)
    y = thin(x)
    assert y.shape == conv(x).shape
    torch.testing.assert_close(y[:, :, 1:-1], conv(x)[:, :, 1:-1])
    nn.init.normal_(conv.weight)
    thin.load_state_dict(conv.state_dict())
    torch.testing.assert_close(thin(x)[:, :, 1:-1], conv(x)[:, :, 1:-1])


def test_frames_see_the_kernels_of_a_2d_checkpoint(tmp_path):
    file = str(tmp_path / 'resnet.pth')
    wrapped = dict(SLOW_ONLY, base_channels=8, pretrained=file)
    tam = dict(temporal=dict(type='TAM'), where=TEMPORAL)
    backbone = build_clip_network(wrapped, 4, **tam).backbone
    state, kernels = {}, {}
    for name, module in backbone.backbone.named_modules():
        if isinstance(module, ConvModule):
            conv, norm = name, name.replace('conv', 'bn')
            if 'downsample' in name:
                conv, norm = f'{name}.0', f'{name}.1'
            kernels[module.conv] = torch.randn_like(module.conv.weight).squeeze(2)
            state[f'{conv}.weight'] = kernels[module.conv]
            for key, value in module.bn.state_dict().items():
                state[f'{norm}.{key}'] = value
    torch.save(state, file)
    backbone.init_weights()
    assert sum(isinstance(conv, SingleFrameConv3d) for conv in kernels) == 9
    for conv, kernel in kernels.items():
        assert torch.equal(conv.weight.squeeze(2), kernel)
