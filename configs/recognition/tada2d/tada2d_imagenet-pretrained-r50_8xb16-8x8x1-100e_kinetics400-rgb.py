_base_ = [
    '../../_base_/models/tada2d_r50.py',
    '../../_base_/datasets/kinetics400.py',
    '../../_base_/pipelines/8x8x1_random_crop.py',
    '../../_base_/schedules/sgd_tada_100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth'
    ),
    cls_head=dict(num_classes=_base_.num_classes),
    # The 30 views of a video in three batches, to save memory.
    test_cfg=dict(max_testing_views=10),
)

train_dataloader = dict(batch_size=16, dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=0.24))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
