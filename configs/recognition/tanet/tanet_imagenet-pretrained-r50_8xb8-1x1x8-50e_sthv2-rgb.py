_base_ = [
    '../../_base_/models/tanet_r50.py',
    '../../_base_/datasets/sthv2.py',
    '../../_base_/pipelines/1x1x8_multi_scale_crop.py',
    '../../_base_/schedules/sgd_tsm_50e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth'
    ),
    # The authors add up logits, not probabilities.
    cls_head=dict(num_classes=_base_.num_classes, average_clips='score'),
)

train_pipeline = [
    dict(step, flip_label_map=_base_.flip_label_map) if step.type == 'Flip' else step
    for step in _base_.train_pipeline
]
test_pipeline = [
    _base_.test_pipeline[0],
    # The authors begin their second clip elsewhere in the segments.
    dict(_base_.test_pipeline[1], twice_sample=True),
    *_base_.test_pipeline[2:4],
    # For portrait videos the authors take the centre crop three times.
    dict(type='ThreeCrop', crop_size=256),
    *_base_.test_pipeline[5:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

# The script has 0.02 for 128 clips, the paper a decay of 1e-3.
optim_wrapper = dict(optimizer=dict(lr=0.01, weight_decay=5e-4))
param_scheduler = [dict(_base_.param_scheduler[0], milestones=[30, 40, 45])]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
