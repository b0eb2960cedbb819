# Features of the untrimmed clips, by clip_feature_extraction.py --long-video-mode:
# one row for every 4 frames, from the 24 frames around it, as long as a motion clip.
_base_ = '../../recognition/tada2d/tada2d_scratch-r18_1xb8-u8-5e_motionclips-rgb.py'
# Made by: python tools/make_untrimmed_clips.py data/untrimmed_clips
data_root = 'data/untrimmed_clips'

# The windows of a video that are computed together.
model = dict(test_cfg=dict(max_testing_views=32))

test_pipeline = [
    dict(type='DecordInit'),
    dict(type='UntrimmedSampleFrames', clip_len=8, frame_interval=3, clip_interval=4),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_dataloader = dict(
    batch_size=1,
    dataset=dict(
        ann_file=f'{data_root}/videos.txt',
        data_prefix=dict(video=f'{data_root}/videos'),
        pipeline=test_pipeline,
    ),
)
