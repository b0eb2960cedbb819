_base_ = [
    '../../_base_/models/tadaformer_base.py',
    '../../_base_/datasets/motion_clips_uniform.py',
    '../../_base_/schedules/adamw_5e.py',
    '../../_base_/default_runtime.py',
]

# A size that learns the motion clips from scratch in minutes.
model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True,
            embed_dims=128,
            num_layers=4,
            num_heads=4,
            feedforward_channels=512,
            patch_size=8,
        ),
        img_size=32,
        routing=dict(head_dim=16),
    ),
    cls_head=dict(num_classes=8, in_channels=128, dropout_ratio=0.0),
)

# Twice the frames of the other networks, as the stem halves their number.
train_pipeline, test_pipeline = (
    [dict(step, clip_len=16) if 'Sample' in step.type else step for step in pipeline]
    for pipeline in (_base_.train_pipeline, _base_.test_pipeline)
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# A transformer needs a lower rate, and gradients that are clipped.
optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=5))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1, save_best='acc/top1'))
randomness = dict(seed=0)
