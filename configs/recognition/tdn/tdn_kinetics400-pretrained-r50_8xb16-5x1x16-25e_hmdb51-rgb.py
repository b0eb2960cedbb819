_base_ = [
    '../../_base_/models/tdn_r50.py',
    '../../_base_/datasets/hmdb51.py',
    '../../_base_/pipelines/5x1x8_multi_scale_crop_ten_views.py',
    '../../_base_/schedules/sgd_100e.py',
    '../../_base_/default_runtime.py',
]

# Made of the authors' file by: python tools/convert_checkpoint.py SRC DST
# The classifier has other classes: mmengine logs that and leaves ours as it began.
load_from = (
    'checkpoints/tdn_imagenet-pretrained-r50_8xb8-5x1x16-100e_kinetics400-rgb.pth'
)

model = dict(
    backbone=dict(num_segments=16),
    cls_head=dict(
        num_classes=_base_.num_classes,
        num_segments=16,
        dropout_ratio=0.8,
        average_clips='prob',
    ),
    # Windows at a time, which saves memory: 5 views of 16 windows.
    test_cfg=dict(max_testing_views=80),
)

# Ten views in tests; the authors' code draws one clip ten times here, as num_views=1.
train_pipeline, val_pipeline, test_pipeline = (
    [dict(step, num_clips=16) if 'Sample' in step.type else step for step in pipeline]
    for pipeline in (_base_.train_pipeline, _base_.val_pipeline, _base_.test_pipeline)
)
train_dataloader = dict(
    batch_size=16, drop_last=True, dataset=dict(pipeline=train_pipeline)
)
val_dataloader = dict(batch_size=16, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

train_cfg = dict(max_epochs=25)
# No constructor: the multipliers of groups in the authors' code have no effect.
optim_wrapper = dict(
    optimizer=dict(lr=0.002, weight_decay=5e-4), clip_grad=dict(max_norm=20)
)
param_scheduler = [dict(_base_.param_scheduler[0], end=25, milestones=[10, 20])]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
auto_scale_lr = dict(base_batch_size=128)
