_base_ = (
    '../tanet/tanet_imagenet-pretrained-r50_8xb8-dense-1x1x8-100e_kinetics400-rgb.py'
)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TemporalAdapter',
        backbone=dict(type='torchvision.shufflenet_v2_x1_0'),
        temporal=dict(type='TAM'),
        where='shufflenet_v2',
        num_segments=8,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.pytorch.org/models/shufflenetv2_x1-5666bf0f80.pth',
        ),
    ),
    cls_head=dict(in_channels=1024),
)
