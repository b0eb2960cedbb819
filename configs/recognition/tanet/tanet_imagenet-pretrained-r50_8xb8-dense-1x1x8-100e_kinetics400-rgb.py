_base_ = [
    '../../_base_/models/tanet_r50.py',
    '../../_base_/datasets/kinetics400.py',
    '../../_base_/pipelines/dense-1x1x8_multi_scale_crop.py',
    '../../_base_/schedules/sgd_tsm_100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth'
    ),
    # The authors add up logits, not probabilities.
    cls_head=dict(num_classes=_base_.num_classes, average_clips='score'),
)

train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = [dict(_base_.param_scheduler[0], milestones=[50, 75, 90])]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
