_base_ = './tanet_imagenet-pretrained-r50_8xb8-dense-1x1x16-100e_kinetics400-rgb.py'

model = dict(
    backbone=dict(
        depth=101,
        pretrained='https://download.pytorch.org/models/resnet101-63fe2227.pth',
    )
)
