_base_ = './tsn_imagenet-pretrained-r50_8xb8-1x1x8-50e_kinetics400-rgb.py'

custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)

model = dict(
    # Each segment is a clip of 5 frames, (3, 5, h, w).
    data_preprocessor=dict(format_shape='NCTHW'),
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TDN',
        depth=50,
        # That of num_clips in the samplers.
        num_segments=8,
        pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth',
    ),
    cls_head=dict(
        _delete_=True,
        type='mmtemporal.TDNHead',
        num_classes=_base_.num_classes,
        in_channels=2048,
        num_segments=8,
        average_clips='prob',
    ),
)

# What differs from TSN: the first two steps of each pipeline, which are DecordInit and
# the sampler, and the last two, FormatShape and PackActionInputs.
train_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=5,
        frame_interval=1,
        num_clips=8,
        out_of_bound_opt='repeat_last',
    ),
    *_base_.train_pipeline[2:-2],
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='DecordInit'),
    # In testing, stock SampleFrames does not take the centres of the segments.
    dict(type='mmtemporal.WindowSampleFrames', clip_len=5, num_clips=8, test_mode=True),
    *_base_.val_pipeline[2:-2],
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = val_pipeline
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
