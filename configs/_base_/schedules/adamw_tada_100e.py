train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# As the authors' rules by name work out: the weights of norms in routing functions, in
# the stem and before downsamplings are decayed, those in blocks and at the end not.
optim_wrapper = dict(
    constructor='mmtemporal.GroupedOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=5e-4, betas=(0.9, 0.999), weight_decay=0.02),
    paramwise_cfg=dict(
        groups=[
            dict(name=r'\.routing\..*weight$', lr_mult=5),
            dict(name=r'\.routing\..*bias$', lr_mult=10, decay_mult=0),
            dict(name=r'^cls_head\..*weight$', lr_mult=5),
            dict(name=r'^cls_head\..*bias$', lr_mult=10, decay_mult=0),
            dict(name=r'\.norm(_avg)?\.', decay_mult=0),
            dict(name=r'bias$', decay_mult=0),
        ]
    ),
)
# From 1e-6 to the cosine, which begins with the warm-up. The product of the two is
# at most 2% above the authors' straight line, and equal to theirs afterwards.
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6 / 5e-4,
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
# Four machines of 8 GPUs with 16 clips each.
auto_scale_lr = dict(enable=False, base_batch_size=512)
