# Made by: python tools/prepare_data.py utd_mhad Depth data/utd_mhad
data_root = 'data/utd_mhad'
# A mirrored swipe to the left is one to the right, and so are the two circles.
flip_label_map = {0: 1, 1: 0, 8: 9, 9: 8}

train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=8),
    dict(type='DecordDecode'),
    # Frames of 80 x 120; the ratio is that of width to height.
    dict(
        type='RandomResizedCrop', area_range=(0.6, 1.0), aspect_ratio_range=(0.57, 0.77)
    ),
    dict(type='Resize', scale=(48, 72), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5, flip_label_map=flip_label_map),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames', clip_len=1, frame_interval=1, num_clips=8, test_mode=True
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(48, 72), keep_ratio=False),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        ann_file=f'{data_root}/train.txt',
        data_prefix=dict(video=data_root),
        pipeline=train_pipeline,
    ),
)
# Validation shows the test persons, but chooses nothing: the last epoch counts. Choose
# settings on tune_train.txt and tune_val.txt, which know no test person.
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file=f'{data_root}/test.txt',
        data_prefix=dict(video=data_root),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator

custom_hooks = [
    # Mistakes in the lists stop a run before it starts; docs/robustness.md says more.
    dict(type='mmtemporal.CheckAnnotationsHook'),
    # Saves up to two fifths of the time on a CPU; docs/speed.md says more.
    dict(type='mmtemporal.ChannelsLastHook'),
]
