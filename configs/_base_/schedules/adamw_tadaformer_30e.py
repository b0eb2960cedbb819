train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=30, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# Layers in front learn more slowly, so that CLIP's features stay. TAda blocks and the
# head are new, and learn ten times as fast. Position embeddings are decayed, too.
optim_wrapper = dict(
    constructor='mmtemporal.GroupedOptimWrapperConstructor',
    optimizer=dict(
        type='AdamW', lr=5e-5, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.05
    ),
    paramwise_cfg=dict(
        groups=[
            dict(name=r'\.tada2?\.', kind='weight', lr_mult=10),
            dict(name=r'\.tada2?\.', lr_mult=10, decay_mult=0),
            dict(name=r'^cls_head\..*weight$', lr_mult=10),
            dict(name=r'^cls_head\..*bias$', lr_mult=10, decay_mult=0),
            dict(name=r'\.class_embedding$', decay_mult=0),
            dict(kind='norm', decay_mult=0),
            dict(kind='bias', decay_mult=0),
        ],
        layer_decay=dict(
            rate=0.7,
            layers=r'^backbone\.layers\.(\d+)\.',
            before=r'^backbone\.(conv1|class_embedding|positional_embedding|ln_pre)\b',
        ),
    ),
)
# From 1e-6 to the base rate, then half a cosine down to 1e-6. The end is given as a
# ratio, which each group has of its own rate: 1e-6 is more than the stem ever has.
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6 / 5e-5,
        begin=0,
        end=5,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=25,
        eta_min_ratio=1e-6 / 5e-5,
        begin=5,
        end=30,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
# 8 GPUs with 32 clips each.
auto_scale_lr = dict(enable=False, base_batch_size=256)
