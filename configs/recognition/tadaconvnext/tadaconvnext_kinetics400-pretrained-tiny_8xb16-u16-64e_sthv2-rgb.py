_base_ = [
    '../../_base_/models/tadaconvnext_tiny.py',
    '../../_base_/datasets/sthv2.py',
    '../../_base_/pipelines/u16_random_resized_crop.py',
    '../../_base_/schedules/adamw_tada_64e.py',
    '../../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=_base_.num_classes))
# Trained with that config; its classifier does not fit and is skipped.
load_from = 'checkpoints/tadaconvnext_imagenet-pretrained-tiny_8xb16-16x5x1-100e_kinetics400-rgb.pth'  # noqa: E501

# Known are the epochs and the initialisation: the rest is as on Kinetics.
train_pipeline = [
    *_base_.train_pipeline[:3],
    dict(type='RandomRescale', scale_range=(256, 320)),
    dict(type='RandomCrop', size=224),
    dict(type='Flip', flip_ratio=0.5, flip_label_map=_base_.flip_label_map),
    *_base_.train_pipeline[-2:],
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

optim_wrapper = dict(
    optimizer=dict(lr=1e-4),
    paramwise_cfg=dict(
        groups=[
            dict(name=r'^cls_head\..*weight$', lr_mult=10),
            dict(name=r'^cls_head\..*bias$', lr_mult=10, decay_mult=0),
            dict(kind='norm', decay_mult=0),
            dict(kind='bias', decay_mult=0),
        ]
    ),
)
param_scheduler = [
    dict(_base_.param_scheduler[0], start_factor=1e-6 / 1e-4, end=4),
    _base_.param_scheduler[1],
]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
# 8 GPUs with 16 clips each, by our choice: the authors' batch is not known.
auto_scale_lr = dict(base_batch_size=128)
