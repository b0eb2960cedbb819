# As TAdaConvNeXtV2 on Kinetics: 16 frames, 5 frames apart; tested on 4 clips, three
# crops.
train_pipeline = [
    # mmtemporal.StrictPyAVInit takes two thirds of its time: docs/reading_videos.md.
    dict(type='DecordInit'),
    dict(type='mmtemporal.SampleDenseClips', clip_len=16, frame_interval=5),
    dict(type='DecordDecode'),
    dict(
        type='RandomResizedCrop',
        area_range=(0.08, 1.0),
        aspect_ratio_range=(0.75, 1.333),
    ),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    # Omitted, as in earlier versions; the authors' augmentation is
    # dict(type='mmtemporal.RandAugment', fill=(115, 115, 115)),
    dict(
        type='TransformBroadcaster',
        mapping=dict(img='imgs'),
        auto_remap=True,
        share_random_params=True,
        transforms=[
            dict(
                type='RandomGrayscale',
                prob=0.2,
                keep_channels=True,
                channel_weights=(0.299, 0.587, 0.114),
                color_format='rgb',
            )
        ],
    ),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
# The authors validate on random clips and crops; their results are of tests alone.
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
        num_clips=4,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='ThreeCrop', crop_size=256),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
