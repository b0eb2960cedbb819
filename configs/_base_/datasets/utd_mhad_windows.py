# UTD-MHAD for TDN: 8 segments, each a window of 5 frames.
_base_ = './utd_mhad.py'

train_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=5,
        frame_interval=1,
        num_clips=8,
        out_of_bound_opt='repeat_last',
    ),
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
    # In testing, stock SampleFrames does not take the centres of the segments.
    dict(type='mmtemporal.WindowSampleFrames', clip_len=5, num_clips=8, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(48, 72), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
