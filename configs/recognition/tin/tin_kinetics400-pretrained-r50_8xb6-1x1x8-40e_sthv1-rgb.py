_base_ = './tin_imagenet-pretrained-r50_8xb6-1x1x8-40e_sthv1-rgb.py'

# The command for pretrained networks on the authors' page. They begin with new
# fully connected layers in the interlacing too.
model = dict(
    backbone=dict(
        pretrained='https://download.openmmlab.com/mmaction/v1.0/recognition/tin/tin_kinetics400-pretrained-tsm-r50_1x1x8-50e_kinetics400-rgb/tin_kinetics400-pretrained-tsm-r50_1x1x8-50e_kinetics400-rgb_20220913-7f10d0c0.pth',
    )
)

optim_wrapper = dict(optimizer=dict(lr=0.008))
param_scheduler = [
    _base_.param_scheduler[0],
    dict(
        type='MultiStepLR',
        begin=0,
        end=40,
        by_epoch=True,
        milestones=[10, 20, 30],
        gamma=0.1,
    ),
]
