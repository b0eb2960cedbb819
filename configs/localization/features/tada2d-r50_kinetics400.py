# Features of TAda2D for BMN: one row for every 16 frames of a video, from the 8 x 8
# frames around it, by clip_feature_extraction.py --long-video-mode.
_base_ = '../../recognition/tada2d/tada2d_imagenet-pretrained-r50_8xb16-8x8x1-100e_kinetics400-rgb.py'  # noqa: E501
data_root = 'data/ActivityNet'

# The windows of a video that are computed together.
model = dict(test_cfg=dict(max_testing_views=16))

test_pipeline = [
    dict(type='DecordInit'),
    dict(type='UntrimmedSampleFrames', clip_len=8, frame_interval=8, clip_interval=16),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=256),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
# A line "NAME.mp4 0" for each video.
test_dataloader = dict(
    num_workers=2,
    dataset=dict(
        ann_file=f'{data_root}/videos.txt',
        data_prefix=dict(video=f'{data_root}/videos'),
        pipeline=test_pipeline,
    ),
)
