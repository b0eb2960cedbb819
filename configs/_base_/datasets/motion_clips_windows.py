# The motion clips for TDN: 8 segments, each a window of 5 frames.
_base_ = './motion_clips.py'

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
    # TDN halves the feature maps of its last stage: 32 would be too small.
    dict(type='Resize', scale=(36, 36), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    # In testing, stock SampleFrames does not take the centres of the segments.
    dict(type='mmtemporal.WindowSampleFrames', clip_len=5, num_clips=8, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(36, 36), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
