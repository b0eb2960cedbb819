train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=35, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# The authors' second release, X-Temporal.
# No constructor: there, all parameters have one rate and one decay.
optim_wrapper = dict(
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
# 8 GPUs with 8 clips each.
auto_scale_lr = dict(enable=False, base_batch_size=64)
