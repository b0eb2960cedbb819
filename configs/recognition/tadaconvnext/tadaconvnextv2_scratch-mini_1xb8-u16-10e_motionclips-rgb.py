_base_ = [
    '../../_base_/models/tadaconvnextv2_tiny.py',
    '../../_base_/datasets/motion_clips_uniform.py',
    '../../_base_/schedules/adamw_5e.py',
    '../../_base_/default_runtime.py',
]

# A size that learns the motion clips from scratch in minutes.
model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True,
            depths=(1, 1, 2, 1),
            channels=(64, 128, 256, 512),
            head_dim=32,
        ),
        num_segments=16,
        drop_path_rate=0.0,
        layer_scale_init_value=1.0,
    ),
    cls_head=dict(num_classes=8, in_channels=512, dropout_ratio=0.0),
)

# Twice the frames of the other networks, as the stem halves their number.
train_pipeline, test_pipeline = (
    [dict(step, clip_len=16) if 'Sample' in step.type else step for step in pipeline]
    for pipeline in (_base_.train_pipeline, _base_.test_pipeline)
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=10)
# Without batch norms it needs a lower rate, and gradients that are clipped.
optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=5))
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=10),
]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1, save_best='acc/top1'))
randomness = dict(seed=0)
