# As TAdaFormer: a frame from each of 16 segments of the whole video, on Kinetics too;
# tested at 224 pixels, on 4 clips, three crops.
_base_ = './16x5x1_random_resized_crop.py'

train_pipeline = [
    # mmtemporal.StrictPyAVInit takes two thirds of its time: docs/reading_videos.md.
    dict(type='DecordInit'),
    dict(type='mmtemporal.SampleSegments', clip_len=16),
    *_base_.train_pipeline[2:-3],
    # CLIP's mean is what leaves a frame empty.
    dict(type='mmtemporal.RandAugment', fill=(123, 117, 104)),
    *_base_.train_pipeline[-3:],
]
# The authors validate on random crops; their results are of tests alone.
val_pipeline = [
    dict(type='DecordInit'),
    dict(type='mmtemporal.SampleSegments', clip_len=16, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='CenterCrop', crop_size=224),
    *_base_.val_pipeline[-2:],
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='mmtemporal.SegmentSampleFrames', clip_len=16, num_clips=4, test_mode=True
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='ThreeCrop', crop_size=224),
    *_base_.test_pipeline[-2:],
]
