_base_ = [
    '../tada2d/tada2d_imagenet-pretrained-r50_8xb16-8x8x1-100e_kinetics400-rgb.py',
    '../../_base_/models/resnet3d_r50.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TemporalAdapter',
        backbone=_base_.r2plus1d_r50,
        temporal=dict(type='TAdaConv3d'),
        where=['spatial_convs', 'temporal_convs'],
        num_segments=8,
    )
)
