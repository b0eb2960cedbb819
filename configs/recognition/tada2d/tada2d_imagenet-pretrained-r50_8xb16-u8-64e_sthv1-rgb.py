# The authors have no recipe for the first version: this is theirs for the second.
_base_ = [
    '../../_base_/models/tada2d_r50.py',
    '../../_base_/datasets/sthv1.py',
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
test_pipeline = [
    _base_.test_pipeline[1],
    dict(type='RawFrameDecode'),
    *_base_.test_pipeline[3:],
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=0.48))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
