_base_ = (
    '../tanet/tanet_imagenet-pretrained-r50_8xb8-dense-1x1x8-100e_kinetics400-rgb.py'
)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TemporalAdapter',
        backbone=dict(type='torchvision.resnext50_32x4d'),
        temporal=dict(type='TAM'),
        where='resnet',
        num_segments=8,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.pytorch.org/models/resnext50_32x4d-7cdf4587.pth',
        ),
    ),
    cls_head=dict(in_channels=2048),
)
