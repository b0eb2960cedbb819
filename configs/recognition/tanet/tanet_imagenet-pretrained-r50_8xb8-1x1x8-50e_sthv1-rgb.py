_base_ = [
    '../../_base_/models/tanet_r50.py',
    '../../_base_/datasets/sthv1.py',
    '../../_base_/pipelines/1x1x8_multi_scale_crop_rawframes.py',
    '../../_base_/schedules/sgd_tsm_50e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth'
    ),
    cls_head=dict(num_classes=_base_.num_classes, dropout_ratio=0.6),
)

# As in the paper and the zoo; the script does not flip this data set.
train_pipeline = [
    dict(step, flip_label_map=_base_.flip_label_map) if step.type == 'Flip' else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=0.01, weight_decay=1e-3))
param_scheduler = [dict(_base_.param_scheduler[0], milestones=[30, 40, 45])]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
