_base_ = [
    '../../_base_/models/tdn_r50.py',
    '../../_base_/datasets/kinetics400.py',
    '../../_base_/pipelines/5x1x8_multi_scale_crop_ten_views.py',
    '../../_base_/schedules/sgd_100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth'
    ),
    cls_head=dict(num_classes=_base_.num_classes, average_clips='prob'),
    # Windows at a time, which saves memory: 10 views of 8 windows.
    test_cfg=dict(max_testing_views=80),
)

test_pipeline = [
    _base_.test_pipeline[0],
    # The authors' ten clips are ten random draws.
    dict(_base_.test_pipeline[1], random_views=True),
    *_base_.test_pipeline[2:],
]
train_dataloader = dict(
    batch_size=16, drop_last=True, dataset=dict(pipeline=_base_.train_pipeline)
)
val_dataloader = dict(batch_size=16, dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

# No constructor: the multipliers of groups in the authors' code have no effect.
optim_wrapper = dict(optimizer=dict(lr=0.02), clip_grad=dict(max_norm=20))
param_scheduler = [dict(_base_.param_scheduler[0], milestones=[50, 75, 90])]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
auto_scale_lr = dict(base_batch_size=128)
