_base_ = [
    '../../_base_/models/tdn_r50.py',
    '../../_base_/datasets/sthv2.py',
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

train_pipeline = [
    dict(step, flip_label_map=_base_.flip_label_map) if step.type == 'Flip' else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(drop_last=True, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

train_cfg = dict(max_epochs=60)
# No constructor: the multipliers of groups in the authors' code have no effect.
optim_wrapper = dict(
    optimizer=dict(lr=0.01, weight_decay=5e-4), clip_grad=dict(max_norm=20)
)
param_scheduler = [dict(_base_.param_scheduler[0], end=60, milestones=[30, 45, 55])]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
