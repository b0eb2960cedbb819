train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# Decay on weights alone, in the routing functions too.
optim_wrapper = dict(
    constructor='mmtemporal.GroupedOptimWrapperConstructor',
    optimizer=dict(type='SGD', lr=0.24, momentum=0.9, nesterov=True, weight_decay=1e-4),
    paramwise_cfg=dict(
        groups=[
            dict(kind='norm', decay_mult=0),
            dict(kind='bias', decay_mult=0),
        ]
    ),
)
# From 0.01 to the cosine, which begins with the warm-up. The product of the two is
# at most 2% above the authors' straight line, and equal to theirs afterwards.
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01 / 0.24,
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
# 8 GPUs with 16 clips each. The authors may have had more machines than one.
auto_scale_lr = dict(enable=False, base_batch_size=128)
