# UTD-MHAD for 3-D recognizers: one frame from each of 8 segments.
_base_ = './utd_mhad.py'

train_pipeline = [
    dict(type='DecordInit'),
    dict(type='UniformSample', clip_len=8),
    dict(type='DecordDecode'),
    dict(
        type='RandomResizedCrop', area_range=(0.6, 1.0), aspect_ratio_range=(0.57, 0.77)
    ),
    dict(type='Resize', scale=(48, 72), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5, flip_label_map={{_base_.flip_label_map}}),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='mmtemporal.UniformClipSampleFrames',
        clip_len=8,
        num_clips=1,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(48, 72), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
