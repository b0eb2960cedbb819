_base_ = ['./tadaconvnextv2_kinetics400-pretrained-tiny_32xb16-u16-64e_sthv2-rgb.py']

model = dict(backbone=dict(arch='small', drop_path_rate=0.5))
# Trained with that config, or converted; its classifier does not fit and is skipped.
load_from = (
    'checkpoints/'
    'tadaconvnextv2_imagenet-pretrained-small_32xb8-16x5x1-100e_kinetics400-rgb.pth'
)

train_dataloader = dict(batch_size=8)

optim_wrapper = dict(optimizer=dict(lr=2.5e-4))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6 / 2.5e-4,
        begin=0,
        end=2.5,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=64,
        begin=0,
        end=64,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
# Four machines of 8 GPUs with 8 clips each.
auto_scale_lr = dict(enable=False, base_batch_size=256)
