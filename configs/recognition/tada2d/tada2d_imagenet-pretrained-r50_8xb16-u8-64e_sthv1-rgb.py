# The authors have no recipe for the first version: this is theirs for the second.
_base_ = [
    '../../_base_/models/tada2d_r50.py',
    '../../_base_/datasets/sthv1.py',
    '../../_base_/schedules/sgd_tada_64e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth'
    ),
    cls_head=dict(num_classes={{_base_.num_classes}}),
)

train_pipeline = [
    dict(type='mmtemporal.SampleSegments', clip_len=8),
    dict(type='RawFrameDecode'),
    dict(type='RandomRescale', scale_range=(224, 340)),
    dict(type='RandomCrop', size=224),
    dict(type='Flip', flip_ratio=0.5, flip_label_map={{_base_.flip_label_map}}),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
# The authors validate on random clips and crops; their results are of tests alone.
val_pipeline = [
    dict(type='mmtemporal.SampleSegments', clip_len=8, test_mode=True),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(
        type='mmtemporal.SegmentSampleFrames', clip_len=8, num_clips=2, test_mode=True
    ),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='ThreeCrop', crop_size=256),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
# 8 GPUs with 16 clips each. The authors may have had more machines than one.
auto_scale_lr = dict(enable=False, base_batch_size=128)
