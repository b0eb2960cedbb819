_base_ = [
    '../../_base_/models/tdn_r50.py',
    '../../_base_/datasets/sthv1.py',
    '../../_base_/pipelines/5x1x8_multi_scale_crop.py',
    '../../_base_/schedules/sgd_100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth'
    ),
    # The authors rank logits.
    cls_head=dict(num_classes=_base_.num_classes, average_clips='score'),
)

# Folders of images instead of videos, and flips that swap labels.
train_pipeline = [
    _base_.train_pipeline[1],
    dict(type='RawFrameDecode'),
    *_base_.train_pipeline[3:-3],
    dict(type='Flip', flip_ratio=0.5, flip_label_map=_base_.flip_label_map),
    *_base_.train_pipeline[-2:],
]
val_pipeline = [
    _base_.val_pipeline[1],
    dict(type='RawFrameDecode'),
    *_base_.val_pipeline[3:],
]
test_pipeline = val_pipeline
train_dataloader = dict(drop_last=True, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

train_cfg = dict(max_epochs=60)
# No constructor: the multipliers of groups in the authors' code have no effect.
optim_wrapper = dict(
    optimizer=dict(lr=0.01, weight_decay=5e-4), clip_grad=dict(max_norm=20)
)
param_scheduler = [dict(_base_.param_scheduler[0], end=60, milestones=[30, 45, 55])]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
