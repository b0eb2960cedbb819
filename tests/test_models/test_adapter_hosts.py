"""The temporal adapter around networks of MMAction2, timm, torchvision, mmpretrain."""

from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Optional

import pytest
import torch
from host_libraries import import_or_skip
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmcv.cnn import ConvModule
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint, save_checkpoint
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmtemporal.models.layers import (
    ConvRouting,
    SingleFrameConv3d,
    TemporalShift,
)
from mmtemporal.models.layers.temporal_interlace import OffsetNet

TAM = (dict(type='TAM'),)
TIN = (dict(type='TemporalInterlace'),)
TDN = (dict(type='LongTermTDM'), dict(type='TemporalShift'))
TSM = (dict(type='TemporalShift'),)


@dataclass
class Host:
    """A network in a small size, and what is put into it."""

    name: str
    options: dict
    # Channels of its features.
    width: int
    temporal: tuple = TAM
    adapter: dict = field(default_factory=dict)
    # Convolutions that can be calibrated.
    convs: Optional[str] = 'TAdaConv2d'
    head: dict = field(default_factory=lambda: dict(type='TSNHead'))
    # 3-D networks take clips.
    is_3d: bool = False
    t: int = 4
    size: int = 32
    # What the network has for another head, and so never runs.
    unused: tuple = ()

    def __str__(self):
        return self.name

    @property
    def identities(self):
        """Layers that can be made to change nothing."""
        kinds = [self.convs] if self.convs else []
        if self.adapter.get('where') != 'temporal_convs':
            kinds.append('TemporalShift')
        return kinds


def clip_host(name, options, width, *, head='I3DHead', **changes):
    changes = {'t': 8, 'convs': 'TAdaConv3d', **changes}
    head = dict(type=head)
    return Host(name, options, width, is_3d=True, head=head, **changes)


SHALLOW = dict(num_stages=2, out_indices=(1,), strides=(1, 2), dilations=(1, 1))
SLOW = dict(conv1_kernel=(1, 7, 7), inflate=(0, 0, 1, 1), lateral=True)
FAST = dict(conv1_kernel=(5, 7, 7), base_channels=4)
PATHWAY = dict(type='resnet3d', depth=50, conv1_stride_t=1, pool1_stride_t=1)
TWO_STEPS = dict(type='mmtemporal.Conv2plus1d')
SWIN = dict(embed_dim=24, num_heads=[2, 4])
MOBILEONE = dict(
    num_blocks=[1, 2, 2, 1],
    width_factor=[0.5] * 4,
    num_conv_branches=[2] * 4,
    num_se_blocks=[0, 0, 1, 1],
)
NORMS = dict(where=r'.*\.norm1', position='after')

HOSTS = [
    Host('ResNet', dict(SHALLOW, depth=18), 128),
    Host('MobileNetV2', dict(), 1280, TIN, dict(where='mobilenet_v2')),
    clip_host('C2D', dict(SHALLOW, depth=18), 128, temporal=TSM, convs='TAdaConv2d'),
    clip_host(
        'ResNet3dSlowOnly',
        dict(
            depth=50,
            base_channels=8,
            lateral=False,
            conv1_kernel=(1, 7, 7),
            inflate=(0, 0, 1, 1),
        ),
        256,
        temporal=TDN,
        size=64,
    ),
    clip_host(
        'ResNet3dSlowFast',
        dict(
            resample_rate=4,
            speed_ratio=4,
            slow_pathway=dict(**PATHWAY, **SLOW, base_channels=32),
            fast_pathway=dict(**PATHWAY, **FAST),
        ),
        1152,
        adapter=dict(where='temporal_convs'),
        t=16,
        head='SlowFastHead',
    ),
    clip_host(
        'ResNet2Plus1d',
        dict(
            depth=18,
            base_channels=16,
            pretrained2d=False,
            conv_cfg=dict(type='Conv2plus1d'),
            conv1_kernel=(3, 7, 7),
            inflate=(1, 1, 1, 1),
        ),
        128,
        temporal=TIN,
    ),
    clip_host(
        'ResNet3d',
        dict(
            depth=50,
            base_channels=8,
            pretrained2d=False,
            conv_cfg=TWO_STEPS,
            conv1_kernel=(1, 7, 7),
            inflate_style='3x3x3',
        ),
        256,
        adapter=dict(where='temporal_convs'),
    ),
    clip_host('X3D', dict(), 192, temporal=(dict(type='TAdaConv3d'),)),
    clip_host(
        'SwinTransformer3D',
        dict(
            arch=dict(embed_dims=24, depths=[1, 1], num_heads=[2, 4]),
            patch_size=(2, 4, 4),
            window_size=(2, 4, 4),
            drop_path_rate=0,
            out_indices=(1,),
        ),
        48,
        adapter=NORMS,
        convs=None,
    ),
    Host('timm.mobilenetv2_050', dict(), 1280, (dict(type='TAdaConv2d'),)),
    Host('timm.resnet10t', dict(), 512),
    Host('timm.inception_v3', dict(), 2048, TIN, size=75),
    Host(
        'timm.convnext_atto',
        dict(depths=(1, 1, 2, 1)),
        320,
        TDN,
        dict(where=r'stages\.[1-3]\.blocks\.\d+\.conv_dw'),
        size=64,
        unused=('head.norm',),
    ),
    Host('timm.efficientnet_b0', dict(), 1280),
    Host(
        'timm.vit_tiny_patch16_224',
        dict(img_size=32, patch_size=8, embed_dim=48, depth=2, num_heads=3),
        48,
        TAM,
        NORMS,
        convs=None,
    ),
    Host(
        'timm.swin_tiny_patch4_window7_224',
        dict(SWIN, img_size=32, window_size=4, depths=(1, 1), feature_shape='NHWC'),
        48,
        TIN,
        NORMS,
        convs=None,
    ),
    Host('torchvision.mobilenet_v2', dict(width_mult=0.25), 1280),
    Host('torchvision.shufflenet_v2_x0_5', dict(), 1024, TIN),
    Host('torchvision.resnext50_32x4d', dict(), 2048),
    Host(
        'torchvision.inception_v3',
        dict(aux_logits=False, init_weights=False),
        2048,
        TSM,
        size=75,
    ),
    Host(
        'torchvision.SwinTransformer',
        dict(
            SWIN,
            patch_size=[4, 4],
            depths=[1, 1],
            window_size=[4, 4],
            feature_shape='NHWC',
        ),
        48,
        TAM,
        NORMS,
        convs=None,
        unused=('norm', 'head'),
    ),
    Host('mmpretrain.ResNet', dict(SHALLOW, depth=18), 128, TDN),
    Host('mmpretrain.ShuffleNetV2', dict(widen_factor=0.5), 1024),
    Host('mmpretrain.MobileOne', dict(arch=MOBILEONE), 256, TSM),
    Host(
        'mmpretrain.SwinTransformer',
        dict(
            arch=dict(embed_dims=24, depths=[1, 1], num_heads=[2, 4]),
            img_size=32,
            window_size=4,
            out_indices=(1,),
        ),
        48,
        TSM,
        NORMS,
        convs=None,
    ),
    Host(
        'mmpretrain.VisionTransformer',
        dict(
            arch=dict(
                embed_dims=48, num_layers=2, num_heads=3, feedforward_channels=96
            ),
            img_size=32,
            patch_size=8,
            out_type='avg_featmap',
        ),
        48,
        TAM,
        dict(where=r'layers\.\d\.ln1', position='after'),
        convs=None,
        head=dict(type='TSNHead', spatial_type=None),
    ),
]


def mark(host):
    slow = host.name in ('timm.inception_v3', 'torchvision.resnext50_32x4d')
    return pytest.param(host, marks=[pytest.mark.slow] if slow else [])


# One host after the other, so that few are kept at a time.
@pytest.fixture(scope='module', params=map(mark, HOSTS), ids=str)
def host(request):
    library, _, name = request.param.name.rpartition('.')
    if library:
        import_or_skip('mmpretrain.models' if library == 'mmpretrain' else library)
    return request.param


@lru_cache(maxsize=4)
def _build(name, kind):
    host = next(host for host in HOSTS if host.name == name)
    backbone = dict(type=host.name, **host.options)
    if kind != 'bare':
        changes = dict(host.adapter, temporal=host.temporal)
        if kind == 'TemporalShift':
            changes['temporal'] = TSM
        elif kind != 'own':
            changes = dict(temporal=dict(type=kind))
        backbone = dict(
            type='mmtemporal.TemporalAdapter',
            backbone=backbone,
            num_segments=host.t,
            **changes,
        )
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(
            dict(
                type='Recognizer3D' if host.is_3d else 'Recognizer2D',
                backbone=deepcopy(backbone),
                cls_head=dict(
                    num_classes=5, in_channels=host.width, dropout_ratio=0, **host.head
                ),
                data_preprocessor=dict(
                    type='ActionDataPreprocessor',
                    mean=[127.5] * 3,
                    std=[50.0] * 3,
                    format_shape='NCTHW' if host.is_3d else 'NCHW',
                ),
            )
        )


def build(host, kind='own'):
    """Builds a recognizer around the host, 'bare' or with temporal layers in it."""
    model = deepcopy(_build(host.name, kind))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, OffsetNet):
                # So that one of its few ReLUs is alive.
                module.fc1.bias.fill_(1)
        # What starts at zero moves, so that every branch has an effect.
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)
            elif (parameter.abs() <= 1e-5).all():  # layer scales
                parameter.fill_(0.5)
    return model


def build_trained(host):
    """Builds a stock recognizer whose batch norms have statistics."""
    model = build(host, 'bare').double()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = None  # all of the first batch
    with torch.no_grad():
        model(clips(host))
    return model


def clips(host):
    """Returns two clips as the recognizer takes them."""
    x = torch.randn(2, host.t, 3, host.size, host.size, dtype=torch.float64)
    return x.transpose(1, 2).unsqueeze(1) if host.is_3d else x


def scores(model, x):
    with torch.no_grad():
        return model.eval()(x, stage='head')


def test_layers_that_are_identities_change_nothing(host):
    stock, x = build_trained(host), clips(host)
    expected = scores(stock, x)
    for kind in host.identities:
        model = build(host, kind).double()
        model.load_state_dict(stock.state_dict(), strict=False)
        for module in model.modules():
            if isinstance(module, ConvRouting):
                module.init_identity()
            elif isinstance(module, TemporalShift):
                nn.init.dirac_(module.conv.weight, module.conv.groups)
        torch.testing.assert_close(scores(model, x), expected, rtol=1e-9, atol=1e-12)


def test_frames_of_a_clip_mix_and_clips_do_not(host):
    stock, model, x = build_trained(host), build(host).double(), clips(host)
    model.load_state_dict(stock.state_dict(), strict=False)
    y = scores(model, x)
    assert (y - scores(stock, x)).abs().max() > 1e-6
    # For 2-D hosts, this is nothing but a test of the layers.
    reverse = scores(model, x.flip(3 if host.is_3d else 1))
    assert (y - reverse).abs().max() > 1e-6
    x[1] = torch.randn_like(x[1])
    changed = scores(model, x)
    assert not torch.equal(changed[1], y[1])
    torch.testing.assert_close(changed[0], y[0], rtol=1e-9, atol=1e-12)


def test_a_stock_training_iteration_reaches_every_parameter(host):
    model = build(host).double().train()
    reached = set()
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    before = {
        name: value.clone()
        for name, value in model.named_parameters()
        if name not in frozen
    }
    for name, parameter in model.named_parameters():
        if name in before:
            parameter.register_hook(
                lambda grad, name=name: reached.add(name) if grad.any() else None
            )
    shape = clips(host).shape[1:]
    batch = dict(
        inputs=[torch.randint(256, shape, dtype=torch.uint8) for _ in range(2)],
        data_samples=[ActionDataSample().set_gt_label(label) for label in (0, 1)],
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        wrapper = build_optim_wrapper(model, dict(optimizer=dict(type='SGD', lr=1.0)))
    losses = model.train_step(batch, wrapper)
    assert losses['loss'].isfinite()
    unused = tuple(f'backbone.host.{name}.' for name in host.unused)
    assert bool(frozen) == bool(unused)
    assert all(name.startswith(unused) for name in frozen)
    missed = before.keys() - reached
    # A batch norm behind it takes off the bias of a routing's first layer, and those
    # of a long-term module, of which only rounding is left.
    biases = ('routing.a.bias', 'pooled_bn.bias', 'full_bn.bias')
    assert all(name.endswith(biases) for name in missed), missed
    now = dict(model.named_parameters())
    moved = [name for name, value in before.items() if not now[name].equal(value)]
    assert any(name.startswith('backbone.host.') for name in moved)


def test_weights_of_the_host_load_under_its_own_names(host, tmp_path):
    file = str(tmp_path / 'x.pth')
    stock, model = build(host, 'bare'), build(host)
    for source, target, rename in (
        (stock, model, lambda name: name.replace('backbone.', 'backbone.host.', 1)),
        (stock.backbone, model.backbone, 'host.{}'.format),
    ):
        state = source.state_dict()
        save_checkpoint(dict(state_dict=state), file)
        state = {rename(name): value for name, value in state.items()}
        with torch.no_grad():
            for parameter in target.parameters():
                parameter.add_(1)
        before = deepcopy(target.state_dict())
        load_checkpoint(target, file)
        for name, value in target.state_dict().items():
            expected = state.pop(name, before[name])
            if expected.shape != value.shape:
                expected = expected.sum(2, keepdim=True)  # at temporal convolutions
            assert torch.equal(value, expected), name
        assert not state


def test_checkpoints_round_trip(host, tmp_path):
    file = str(tmp_path / 'x.pth')
    model, other = build(host), build(host)
    state = model.state_dict()
    save_checkpoint(dict(state_dict=state), file)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    load_checkpoint(other, file, strict=True)
    assert other.state_dict().keys() == state.keys()
    for name, value in other.state_dict().items():
        assert torch.equal(value, state[name]), name


# --------------------------------------------- the published rows of 3-D networks


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


def build_clip_network(host, num_segments, **adapter):
    """Builds a stock recognizer around a host, bare if nothing is said of layers."""
    backbone = deepcopy(host)
    if adapter:
        backbone = dict(
            type='mmtemporal.TemporalAdapter',
            backbone=backbone,
            num_segments=num_segments,
            **adapter,
        )
    head = dict(type='I3DHead', in_channels=32 * host.get('base_channels', 64))
    if host['type'] == 'ResNet3dSlowFast':
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
    ('host', 'num_segments', 'where', 'size', 'more'),
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
    host, num_segments, where, size, more
):
    tada = dict(temporal=dict(type='TAdaConv3d'), where=where)
    with torch.device('meta'):
        stock = build_clip_network(host, num_segments)
        model = build_clip_network(host, num_segments, **tada)
    assert count(stock) == size
    assert count(model) - size == more


@pytest.mark.parametrize('host', [R2PLUS1D, R3D], ids=['R(2+1)D', 'R3D'])
def test_calibrated_convolutions_in_time_change_nothing_at_first(host):
    host = dict(host, base_channels=8)
    stock = build_clip_network(host, 4).double().eval()
    where = [SPATIAL, TEMPORAL] if 'conv_cfg' in host else SPATIAL
    tada = dict(temporal=dict(type='TAdaConv3d'), where=where)
    model = build_clip_network(host, 4, **tada).double().eval()
    model.load_state_dict(stock.state_dict(), strict=False)
    x = torch.randn(2, 1, 3, 4, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(scores(model, x), scores(stock, x), rtol=1e-9, atol=0)


def test_tam_in_place_of_the_temporal_convolutions_of_slowfast():
    with torch.device('meta'):
        model = build_clip_network(SLOW_FAST, 32, temporal=dict(type='TAM'))
    assert count(model) == 27_129_452
    frames = {
        name.removeprefix('host.').removesuffix('.conv1.temporal'): layer.num_segments
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
    host = dict(SLOW_ONLY, base_channels=8, pretrained=file)
    tam = dict(temporal=dict(type='TAM'), where=TEMPORAL)
    backbone = build_clip_network(host, 4, **tam).backbone
    state, kernels = {}, {}
    for name, module in backbone.host.named_modules():
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
