_base_ = './tin_imagenet-pretrained-r50_8xb6-1x1x8-40e_sthv2-rgb.py'

# The paper's recipe, with the batch of the code and, as there, one norm trained.
model = dict(
    backbone=dict(
        pretrained='https://download.openmmlab.com/mmaction/v1.0/recognition/tin/tin_kinetics400-pretrained-tsm-r50_1x1x8-50e_kinetics400-rgb/tin_kinetics400-pretrained-tsm-r50_1x1x8-50e_kinetics400-rgb_20220913-7f10d0c0.pth',
    ),
    cls_head=dict(dropout_ratio=0.5),
)

train_cfg = dict(max_epochs=25)
optim_wrapper = dict(optimizer=dict(lr=0.005))
param_scheduler = [
    dict(
        type='MultiStepLR',
        begin=0,
        end=25,
        by_epoch=True,
        milestones=[10, 20],
        gamma=0.1,
    )
]
