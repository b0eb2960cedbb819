_base_ = ['./tada2d_imagenet-pretrained-r50_8xb16-u8-64e_sthv1-rgb.py']

model = dict(backbone=dict(num_segments=16))

train_pipeline = [
    dict(type='mmtemporal.SampleSegments', clip_len=16),
    dict(type='RawFrameDecode'),
    dict(type='RandomRescale', scale_range=(224, 340)),
    dict(type='RandomCrop', size=224),
    dict(type='Flip', flip_ratio=0.5, flip_label_map={{_base_.flip_label_map}}),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='mmtemporal.SampleSegments', clip_len=16, test_mode=True),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(
        type='mmtemporal.SegmentSampleFrames', clip_len=16, num_clips=2, test_mode=True
    ),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='ThreeCrop', crop_size=256),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=0.24))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-4 / 0.24,
        begin=0,
        end=4,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=64,
        begin=0,
        end=64,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
# 8 GPUs with 8 clips each. The authors may have had more machines than one.
auto_scale_lr = dict(enable=False, base_batch_size=64)
