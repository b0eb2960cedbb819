_base_ = './tada2d_imagenet-pretrained-r50_8xb16-u8-64e_sthv2-rgb.py'

model = dict(backbone=dict(num_segments=16))

train_pipeline, val_pipeline, test_pipeline = (
    [dict(step, clip_len=16) if 'Sample' in step.type else step for step in pipeline]
    for pipeline in (_base_.train_pipeline, _base_.val_pipeline, _base_.test_pipeline)
)
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=0.24))
param_scheduler = [
    dict(_base_.param_scheduler[0], start_factor=1e-4 / 0.24),
    _base_.param_scheduler[1],
]
auto_scale_lr = dict(base_batch_size=64)
