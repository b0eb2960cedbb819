"""Small configs of everything that has keys."""

T = 4
ARCH = dict(depths=[1, 1, 1, 1], channels=[8, 8, 16, 16])
CONVNEXT = dict(
    num_segments=T,
    drop_path_rate=0.1,
    out_indices=(3,),
    frozen_stages=-1,
    layer_scale_init_value=1e-6,
)


def resnet(kind, **options):
    """Two stages of a ResNet-18."""
    return dict(
        type=kind,
        depth=18,
        num_stages=2,
        strides=(2, 2),
        dilations=(1, 1),
        out_indices=(1,),
        frozen_stages=-1,
        **options,
    )


def temporal_resnet(name, **options):
    return resnet(f'mmtemporal.{name}', num_segments=T, **options)


def adapter(**temporal):
    return dict(
        type='mmtemporal.TemporalAdapter',
        backbone=resnet('ResNet'),
        temporal=temporal,
        num_segments=T,
        where='resnet' if temporal['type'] == 'TAM' else None,
        position='before',
    )


def recognizer(backbone, head, channels=128, is_3d=False, **options):
    return dict(
        type='Recognizer3D' if is_3d else 'Recognizer2D',
        backbone=backbone,
        cls_head=dict(
            type=f'mmtemporal.{head}', num_classes=3, in_channels=channels, **options
        ),
    )


CONFIGS = {
    'TANet': recognizer(
        temporal_resnet(
            'TANet',
            tam_cfg=dict(
                alpha=2,
                beta=4,
                adaptive_kernel_size=3,
                conv1d_kernel_size=3,
                variant='tam',
            ),
            block_style='b',
            temporal_stages=(0, 1),
        ),
        'TAMHead',
        num_segments=T,
        dropout_ratio=0.5,
        init_std=0.001,
    ),
    'TIN': recognizer(
        temporal_resnet(
            'TIN',
            shift_div=4,
            tin_cfg=dict(num_groups=2, reverse=True, offset_scale=4.0),
            temporal_stages=(0, 1),
        ),
        'TINHead',
        num_segments=T,
    ),
    'TDN': recognizer(
        temporal_resnet(
            'TDN',
            frames_per_segment=5,
            short_term=('conv1', 'layer1'),
            fusion=(0.5, 0.5),
            fusion_form='sum',
            long_term_stages=(1,),
            shift_stages=(1,),
            ltdm_cfg=dict(reduction=16, num_scales=3),
        ),
        'TDNHead',
        num_segments=T,
    ),
    'TAda2D': recognizer(
        temporal_resnet(
            'TAda2D',
            aggregation='avg',
            separate_norm=True,
            temporal_stages=(0, 1),
            routing=dict(type='conv', reduction=4, kernel_sizes=(3, 3), norm='bn'),
        ),
        'TAdaHead',
        num_segments=T,
        dropout_ratio=0.5,
    ),
    'TAda2D of clips': recognizer(
        temporal_resnet(
            'TAda2D',
            aggregation='mix',
            routing=dict(type='attention', reduction=2, head_dim=16),
        ),
        'TAdaHead',
        is_3d=True,
    ),
    'TAdaConvNeXt': recognizer(
        dict(
            type='mmtemporal.TAdaConvNeXt',
            arch=ARCH,
            routing=dict(norm='bn', reduction=4),
            **CONVNEXT,
        ),
        'TAdaHead',
        channels=16,
        is_3d=True,
    ),
    'TAdaConvNeXtV2': recognizer(
        dict(type='mmtemporal.TAdaConvNeXtV2', arch=dict(ARCH, head_dim=4), **CONVNEXT),
        'TAdaHead',
        channels=16,
        num_segments=1,
    ),
    'TAdaFormer': recognizer(
        dict(
            type='mmtemporal.TAdaFormer',
            arch=dict(
                embed_dims=16,
                num_layers=2,
                num_heads=2,
                feedforward_channels=32,
                patch_size=4,
            ),
            num_segments=T,
            form='S',
            img_size=36,
            interpolate_mode=None,
            activation='quick_gelu',
            drop_path_rate=0.1,
            frozen_stages=-1,
            routing=dict(reduction=2, kernel_sizes=(3, 3), head_dim=4),
        ),
        'TAdaHead',
        channels=16,
        is_3d=True,
    ),
    'adapter with TAM': recognizer(
        adapter(type='TAM', alpha=2, beta=4), 'TAMHead', num_segments=T
    ),
    'adapter with TAdaConv2d': recognizer(
        adapter(
            type='TAdaConv2d',
            calibrate='cin',
            routing=dict(type='conv', reduction=4, kernel_sizes=(3, 3)),
        ),
        'TAMHead',
        num_segments=T,
    ),
    'conv_cfg': recognizer(
        resnet(
            'ResNet',
            conv_cfg=dict(
                type='mmtemporal.TAdaConv2d',
                num_segments=T,
                calibrate='cout',
                routing=dict(type='conv', reduction=4),
            ),
        ),
        'TAMHead',
        num_segments=T,
    ),
    'optimizer': dict(
        type='OptimWrapper',
        constructor='mmtemporal.GroupedOptimWrapperConstructor',
        optimizer=dict(type='SGD', lr=0.1, weight_decay=1e-4),
        paramwise_cfg=dict(
            groups=[dict(name='^0', kind='norm', lr_mult=0.5, decay_mult=0)]
        ),
    ),
    'SampleWindows': dict(
        type='mmtemporal.SampleWindows',
        num_clips=T,
        clip_len=5,
        num_views=2,
        test_mode=True,
    ),
    'SampleDenseClips': dict(
        type='mmtemporal.SampleDenseClips',
        clip_len=T,
        frame_interval=2,
        num_clips=2,
        target_fps=30,
        test_mode=True,
    ),
    'SampleSegments': dict(
        type='mmtemporal.SampleSegments', clip_len=T, num_clips=2, test_mode=True
    ),
}
