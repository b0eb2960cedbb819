_base_ = (
    './tadaconvnextv2_imagenet-pretrained-tiny_32xb16-16x5x1-100e_kinetics400-rgb.py'
)

model = dict(
    backbone=dict(
        arch='base',
        drop_path_rate=0.6,
        pretrained='https://dl.fbaipublicfiles.com/convnext/convnext_base_1k_224_ema.pth',
    ),
    cls_head=dict(in_channels=1024),
)

train_dataloader = dict(batch_size=8)
optim_wrapper = dict(optimizer=dict(lr=2.5e-4))
param_scheduler = [
    dict(_base_.param_scheduler[0], start_factor=1e-6 / 2.5e-4),
    _base_.param_scheduler[1],
]
auto_scale_lr = dict(base_batch_size=256)
