# MMAction2's recipe for TSM on MobileNetV2, with TIN in place of TSM's shift.
_base_ = './tsn_imagenet-pretrained-r50_8xb8-1x1x8-50e_kinetics400-rgb.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TemporalAdapter',
        backbone=dict(type='MobileNetV2', pretrained='mmcls://mobilenet_v2'),
        temporal=dict(type='TemporalInterlace'),
        # That of num_clips in SampleFrames, and of the head.
        num_segments=8,
    ),
    cls_head=dict(
        _delete_=True,
        type='TSMHead',
        num_segments=8,
        num_classes=400,
        in_channels=1280,
        spatial_type='avg',
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.5,
        init_std=0.001,
        is_shift=True,
        average_clips='prob',
    ),
)

test_pipeline = [
    dict(type='ThreeCrop', crop_size=256) if step.type == 'CenterCrop' else step
    for step in _base_.test_pipeline
]
train_dataloader = dict(batch_size=16)
val_dataloader = dict(batch_size=16)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

train_cfg = dict(max_epochs=100)
param_scheduler = [dict(_base_.param_scheduler[0], end=100, milestones=[40, 80])]
optim_wrapper = dict(
    constructor='TSMOptimWrapperConstructor',
    paramwise_cfg=dict(fc_lr5=True),
    optimizer=dict(lr=0.02, weight_decay=2e-5),
    clip_grad=dict(max_norm=20),
)
default_hooks = dict(checkpoint=dict(interval=3))
# 8 GPUs with 16 clips each.
auto_scale_lr = dict(base_batch_size=128)
