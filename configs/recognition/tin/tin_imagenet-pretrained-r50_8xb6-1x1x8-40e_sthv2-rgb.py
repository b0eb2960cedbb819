_base_ = [
    '../../_base_/models/tin_r50.py',
    '../../_base_/datasets/sthv2.py',
    '../../_base_/pipelines/1x1x8_multi_scale_crop.py',
    '../../_base_/schedules/sgd_tin_40e.py',
    '../../_base_/default_runtime.py',
]

# The authors' command for V1; the zoo trains all norms.
model = dict(
    backbone=dict(
        partial_bn=True,
        pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth',
    ),
    cls_head=dict(num_classes=_base_.num_classes, dropout_ratio=0.8),
)

# No flip, as in the authors' code; the paper flips.
train_pipeline = [step for step in _base_.train_pipeline if step.type != 'Flip']
train_dataloader = dict(batch_size=6, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=6, dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

# The zoo has 0.01 and clips at 40.
optim_wrapper = dict(optimizer=dict(lr=0.02))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
