_base_ = './tin_imagenet-pretrained-r50_8xb6-1x1x8-40e_sthv2-rgb.py'

model = dict(
    backbone=dict(
        depth=101,
        pretrained='https://download.pytorch.org/models/resnet101-63fe2227.pth',
    )
)
