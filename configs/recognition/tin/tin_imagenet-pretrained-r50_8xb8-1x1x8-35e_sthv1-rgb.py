_base_ = './tin_imagenet-pretrained-r50_8xb6-1x1x8-40e_sthv1-rgb.py'

# The authors' second release, X-Temporal.
model = dict(backbone=dict(partial_bn=False))

train_dataloader = dict(batch_size=8)
val_dataloader = dict(batch_size=8)

train_cfg = dict(max_epochs=35)
# No constructor: there, all parameters have one rate and one decay.
optim_wrapper = dict(
    _delete_=True,
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, nesterov=True, weight_decay=5e-4),
    clip_grad=dict(max_norm=20, norm_type=2),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1 / 64,
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        # As there: after 30 of 35 epochs the rate grows again.
        T_max=29,
        by_epoch=True,
        begin=1,
        end=35,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=64)
