_base_ = [
    '../../_base_/models/tada2d_r50.py',
    '../../_base_/datasets/sthv2.py',
    '../../_base_/pipelines/u8_random_crop.py',
    '../../_base_/schedules/sgd_tada_64e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth'
    ),
    cls_head=dict(num_classes=_base_.num_classes),
)

train_pipeline = [
    dict(step, flip_label_map=_base_.flip_label_map) if step.type == 'Flip' else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=0.48))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
