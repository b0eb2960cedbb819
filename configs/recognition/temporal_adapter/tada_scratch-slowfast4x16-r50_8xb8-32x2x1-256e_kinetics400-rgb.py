_base_ = [
    '../../_base_/models/slowfast_r50.py',
    '../../_base_/datasets/kinetics400.py',
    '../../_base_/pipelines/32x2x1_random_resized_crop.py',
    '../../_base_/default_runtime.py',
]

custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TemporalAdapter',
        backbone=_base_.model.backbone,
        temporal=dict(type='TAdaConv3d'),
        where='spatial_convs',
        # Those of the clip; the slow pathway takes every eighth.
        num_segments=32,
    ),
    cls_head=dict(num_classes=_base_.num_classes),
)

# What follows is MMAction2's recipe for SlowFast.
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=256, val_begin=1, val_interval=5
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=40, norm_type=2),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        by_epoch=True,
        begin=0,
        end=34,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR', T_max=256, eta_min=0, by_epoch=True, begin=0, end=256
    ),
]
default_hooks = dict(
    checkpoint=dict(interval=4, max_keep_ckpts=3), logger=dict(interval=100)
)
# 8 GPUs with 8 clips each.
auto_scale_lr = dict(enable=False, base_batch_size=64)
