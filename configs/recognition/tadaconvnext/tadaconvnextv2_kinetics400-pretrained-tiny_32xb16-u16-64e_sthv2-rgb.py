_base_ = [
    '../../_base_/models/tadaconvnextv2_tiny.py',
    '../../_base_/datasets/sthv2.py',
    '../../_base_/pipelines/u16_random_resized_crop.py',
    '../../_base_/schedules/adamw_tada_64e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(drop_path_rate=0.3),
    cls_head=dict(num_classes=_base_.num_classes),
)
# Trained with that config, or converted; its classifier does not fit and is skipped.
load_from = 'checkpoints/tadaconvnextv2_imagenet-pretrained-tiny_32xb16-16x5x1-100e_kinetics400-rgb.pth'  # noqa: E501

train_pipeline = [
    dict(step, flip_label_map=_base_.flip_label_map) if step.type == 'Flip' else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=5e-4))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
