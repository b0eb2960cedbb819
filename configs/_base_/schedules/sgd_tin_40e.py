train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=40, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# The authors' command for ImageNet initialisation, printed for Something-Something V1.
# As TSM: the last layer learns five times as fast, and its bias ten times.
optim_wrapper = dict(
    constructor='TSMOptimWrapperConstructor',
    paramwise_cfg=dict(fc_lr5=True),
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=5e-4),
    clip_grad=dict(max_norm=20, norm_type=2),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=39,
        by_epoch=True,
        begin=1,
        end=40,
        convert_to_iter_based=True,
    ),
]
# 8 GPUs with 6 clips each.
auto_scale_lr = dict(enable=False, base_batch_size=48)
