_base_ = './tanet_imagenet-pretrained-r50_8xb6-1x1x16-50e_sthv1-rgb.py'

# Rate and batch are the zoo's for ResNet-50.
model = dict(
    backbone=dict(
        depth=101,
        pretrained='https://download.pytorch.org/models/resnet101-63fe2227.pth',
    )
)
