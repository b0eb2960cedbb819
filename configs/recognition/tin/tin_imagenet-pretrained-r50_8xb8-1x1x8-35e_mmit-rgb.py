_base_ = [
    '../../_base_/models/tin_r50.py',
    '../../_base_/datasets/mmit.py',
    '../../_base_/pipelines/1x1x8_multi_scale_crop.py',
    '../../_base_/schedules/sgd_tin_35e.py',
    '../../_base_/default_runtime.py',
]

# The loss is the one that the page of the authors' second release names.
model = dict(
    backbone=dict(
        pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth'
    ),
    cls_head=dict(
        num_classes=_base_.num_classes,
        multi_class=True,
        loss_cls=dict(type='BCELossWithLogits'),
        dropout_ratio=0.8,
        average_clips='score',
    ),
)

# Flips are as in the paper; the release does not say for this data set.
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=0.02))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
