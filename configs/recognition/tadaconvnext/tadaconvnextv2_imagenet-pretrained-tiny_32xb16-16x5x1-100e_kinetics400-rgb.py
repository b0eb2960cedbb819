_base_ = [
    '../../_base_/models/tadaconvnextv2_tiny.py',
    '../../_base_/datasets/kinetics400.py',
    '../../_base_/pipelines/16x5x1_random_resized_crop.py',
    '../../_base_/schedules/adamw_tada_100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        pretrained='https://dl.fbaipublicfiles.com/convnext/convnext_tiny_1k_224_ema.pth'
    ),
    cls_head=dict(num_classes=_base_.num_classes),
)

train_dataloader = dict(batch_size=16, dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=5e-4))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
