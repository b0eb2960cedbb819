# As TAdaConvNeXtV2 on Something-Something: a frame from each of 16 segments;
# tested on 2 clips.
_base_ = './16x5x1_random_resized_crop.py'

train_pipeline = [
    # mmtemporal.StrictPyAVInit takes two thirds of its time: docs/reading_videos.md.
    dict(type='DecordInit'),
    dict(type='mmtemporal.SampleSegments', clip_len=16),
    *_base_.train_pipeline[2:],
]
val_pipeline = [
    dict(type='DecordInit'),
    dict(type='mmtemporal.SampleSegments', clip_len=16, test_mode=True),
    *_base_.val_pipeline[2:],
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='mmtemporal.SegmentSampleFrames', clip_len=16, num_clips=2, test_mode=True
    ),
    *_base_.test_pipeline[2:],
]
