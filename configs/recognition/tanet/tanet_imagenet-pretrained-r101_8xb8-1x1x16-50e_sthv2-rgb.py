_base_ = './tanet_imagenet-pretrained-r50_8xb8-1x1x16-50e_sthv2-rgb.py'

model = dict(
    backbone=dict(
        depth=101,
        pretrained='https://download.pytorch.org/models/resnet101-63fe2227.pth',
    )
)
