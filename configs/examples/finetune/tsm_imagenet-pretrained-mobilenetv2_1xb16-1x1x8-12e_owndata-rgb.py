# A few hundred videos of your own, on a small machine: TSM in a MobileNetV2 from
# ImageNet, with the settings that docs/utd_mhad.md measured. A list has lines such as
# "folder/clip.mp4 3", a path below data_root and the number of the class, from 0.
data_root = 'data/mydata'
ann_file_train = f'{data_root}/train.txt'
ann_file_val = f'{data_root}/val.txt'
num_classes = 10

_base_ = [
    '../../_base_/models/tsn_r50.py',
    '../../_base_/pipelines/1x1x8_multi_scale_crop.py',
    '../../_base_/schedules/adamw_12e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TemporalAdapter',
        # Without internet access, name a file: docs/utd_mhad.md#imagenet-weights.
        backbone=dict(type='MobileNetV2', pretrained='mmcls://mobilenet_v2'),
        # Or another layer: dict(type='TAM'), dict(type='TAdaConv'), ...
        temporal=dict(type='TemporalShift', learnable=False),
        num_segments=8,
    ),
    cls_head=dict(num_classes=num_classes, in_channels=1280, dropout_ratio=0.5),
)

# Where left and right make a difference, a flip exchanges labels:
# flip_label_map={0: 1, 1: 0}, or leave the flip out.
train_pipeline = [step for step in _base_.train_pipeline if step.type != 'Flip']
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        ann_file=ann_file_train,
        data_prefix=dict(video=data_root),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file=ann_file_val,
        data_prefix=dict(video=data_root),
        pipeline=_base_.val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator

default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
# Looks for slips in the lists before anything is trained on them.
custom_hooks = [dict(type='mmtemporal.CheckAnnotationsHook')]
