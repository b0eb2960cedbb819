_base_ = [
    './tadaconvnextv2_imagenet-pretrained-tiny_32xb16-16x5x1-100e_kinetics400-rgb.py'
]

model = dict(
    backbone=dict(
        arch='small',
        drop_path_rate=0.4,
        pretrained='https://dl.fbaipublicfiles.com/convnext/convnext_small_1k_224_ema.pth',
    ),
)

train_dataloader = dict(batch_size=8)

optim_wrapper = dict(optimizer=dict(lr=2.5e-4))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6 / 2.5e-4,
        begin=0,
        end=8,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=100,
        begin=0,
        end=100,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
# Four machines of 8 GPUs with 8 clips each.
auto_scale_lr = dict(enable=False, base_batch_size=256)
