_base_ = [
    '../../_base_/models/tdn_r50.py',
    '../../_base_/datasets/kinetics400.py',
    '../../_base_/schedules/sgd_100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth'
    ),
    cls_head=dict(num_classes={{_base_.num_classes}}, average_clips='prob'),
    # Windows at a time, which saves memory: 10 views of 8 windows.
    test_cfg=dict(max_testing_views=80),
)

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
        type='MultiScaleCrop',
        input_size=224,
        scales=(1, 0.875, 0.75, 0.66),
        random_crop=False,
        max_wh_scale_gap=1,
        num_fixed_crops=13,
    ),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='DecordInit'),
    dict(type='mmtemporal.SampleWindows', clip_len=5, num_clips=8, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='mmtemporal.WindowSampleFrames',
        clip_len=5,
        num_clips=8,
        # The authors' ten clips are ten random draws.
        num_views=10,
        random_views=True,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='ThreeCrop', crop_size=256),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(
    batch_size=16, drop_last=True, dataset=dict(pipeline=train_pipeline)
)
val_dataloader = dict(batch_size=16, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

# No constructor: the multipliers of groups in the authors' code have no effect.
optim_wrapper = dict(
    optimizer=dict(lr=0.02, weight_decay=1e-4),
    clip_grad=dict(max_norm=20, norm_type=2),
)
param_scheduler = [
    dict(
        type='MultiStepLR',
        begin=0,
        end=100,
        by_epoch=True,
        milestones=[50, 75, 90],
        gamma=0.1,
    )
]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
# 8 GPUs with 16 clips each.
auto_scale_lr = dict(enable=False, base_batch_size=128)
