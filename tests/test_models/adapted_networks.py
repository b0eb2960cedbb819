"""Networks of other libraries in a small size, and what is put into them."""

from dataclasses import dataclass, field
from typing import Optional

import torch

TAM = (dict(type='TAM'),)
TIN = (dict(type='TemporalInterlace'),)
TDN = (dict(type='LongTermTDM'), dict(type='TemporalShift'))
TSM = (dict(type='TemporalShift'),)


@dataclass
class Wrapped:
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
    return Wrapped(name, options, width, is_3d=True, head=head, **changes)


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

WRAPPED = [
    Wrapped('ResNet', dict(SHALLOW, depth=18), 128),
    Wrapped('MobileNetV2', dict(), 1280, TIN, dict(where='mobilenet_v2')),
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
    Wrapped('timm.mobilenetv2_050', dict(), 1280, (dict(type='TAdaConv2d'),)),
    Wrapped('timm.resnet10t', dict(), 512),
    Wrapped('timm.inception_v3', dict(), 2048, TIN, size=75),
    Wrapped(
        'timm.convnext_atto',
        dict(depths=(1, 1, 2, 1)),
        320,
        TDN,
        dict(where=r'stages\.[1-3]\.blocks\.\d+\.conv_dw'),
        size=64,
        unused=('head.norm',),
    ),
    Wrapped('timm.efficientnet_b0', dict(), 1280),
    Wrapped(
        'timm.vit_tiny_patch16_224',
        dict(img_size=32, patch_size=8, embed_dim=48, depth=2, num_heads=3),
        48,
        TAM,
        NORMS,
        convs=None,
    ),
    Wrapped(
        'timm.swin_tiny_patch4_window7_224',
        dict(SWIN, img_size=32, window_size=4, depths=(1, 1), feature_shape='NHWC'),
        48,
        TIN,
        NORMS,
        convs=None,
    ),
    Wrapped('torchvision.mobilenet_v2', dict(width_mult=0.25), 1280),
    Wrapped('torchvision.shufflenet_v2_x0_5', dict(), 1024, TIN),
    Wrapped('torchvision.resnext50_32x4d', dict(), 2048),
    Wrapped(
        'torchvision.inception_v3',
        dict(aux_logits=False, init_weights=False),
        2048,
        TSM,
        size=75,
    ),
    Wrapped(
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
    Wrapped('mmpretrain.ResNet', dict(SHALLOW, depth=18), 128, TDN),
    Wrapped('mmpretrain.ShuffleNetV2', dict(widen_factor=0.5), 1024),
    Wrapped('mmpretrain.MobileOne', dict(arch=MOBILEONE), 256, TSM),
    Wrapped(
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
    Wrapped(
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


def scores(model, x):
    with torch.no_grad():
        return model.eval()(x, stage='head')
