# As TAda2D on Kinetics: 8 frames, 8 frames apart; tested on 10 clips, three crops.
train_pipeline = [
    # mmtemporal.StrictPyAVInit takes two thirds of its time: docs/reading_videos.md.
    dict(type='DecordInit'),
    dict(type='mmtemporal.SampleDenseClips', clip_len=8, frame_interval=8),
    dict(type='DecordDecode'),
    dict(type='RandomRescale', scale_range=(224, 340)),
    dict(type='RandomCrop', size=224),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
# The authors validate on random clips and crops; their results are of tests alone.
val_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='mmtemporal.SampleDenseClips', clip_len=8, frame_interval=8, test_mode=True
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
        clip_len=8,
        frame_interval=8,
        num_clips=10,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='ThreeCrop', crop_size=256),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
