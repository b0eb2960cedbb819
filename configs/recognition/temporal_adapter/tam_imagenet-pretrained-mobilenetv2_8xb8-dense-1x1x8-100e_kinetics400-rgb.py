_base_ = (
    '../tanet/tanet_imagenet-pretrained-r50_8xb8-dense-1x1x8-100e_kinetics400-rgb.py'
)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TemporalAdapter',
        backbone=dict(type='MobileNetV2', pretrained='mmcls://mobilenet_v2'),
        temporal=dict(type='TAM'),
        where='mobilenet_v2',
        num_segments=8,
    ),
    cls_head=dict(in_channels=1280),
)
