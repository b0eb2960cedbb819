_base_ = ['./tada2d_imagenet-pretrained-r50_8xb16-8x8x1-100e_kinetics400-rgb.py']

model = dict(backbone=dict(num_segments=16))

train_pipeline = [
    dict(type='DecordInit'),
    dict(type='mmtemporal.SampleDenseClips', clip_len=16, frame_interval=5),
    dict(type='DecordDecode'),
    dict(type='RandomRescale', scale_range=(224, 340)),
    dict(type='RandomCrop', size=224),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='mmtemporal.SampleDenseClips',
        clip_len=16,
        frame_interval=5,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='mmtemporal.DenseClipSampleFrames',
        clip_len=16,
        frame_interval=5,
        num_clips=10,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='ThreeCrop', crop_size=256),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=0.12))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01 / 0.12,
        begin=0,
        end=8,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=100,
        begin=0,
        end=100,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
# 8 GPUs with 8 clips each. The authors may have had more machines than one.
auto_scale_lr = dict(enable=False, base_batch_size=64)
