_base_ = './tdn_imagenet-pretrained-r50_8xb4-5x1x16-60e_sthv2-rgb.py'

# Linear scaling, not published: with the batch of ResNet-50, its rate too.
model = dict(
    backbone=dict(
        depth=101,
        pretrained='https://download.pytorch.org/models/resnet101-63fe2227.pth',
    )
)
