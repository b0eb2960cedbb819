# Your own videos: a list has lines such as "folder/clip.mp4 3", a path below
# data_root and the number of the class, from 0.
data_root = 'data/mydata'
ann_file_train = f'{data_root}/train.txt'
ann_file_val = f'{data_root}/val.txt'
num_classes = 10

_base_ = [
    '../../_base_/models/tanet_r50.py',
    '../../_base_/pipelines/1x1x8_multi_scale_crop.py',
    '../../_base_/schedules/sgd_tsm_50e.py',
    '../../_base_/default_runtime.py',
]

# MMAction2's TANet, trained on Kinetics-400, needs no conversion. Its classifier has
# other classes: mmengine logs that and leaves ours as it began.
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/tanet/tanet_imagenet-pretrained-r50_8xb8-dense-1x1x8-100e_kinetics400-rgb/tanet_imagenet-pretrained-r50_8xb8-dense-1x1x8-100e_kinetics400-rgb_20220919-a34346bc.pth'

model = dict(cls_head=dict(num_classes=num_classes))

# It flips. Where left and right make a difference, leave that out:
# [step for step in _base_.train_pipeline if step.type != 'Flip'].
train_pipeline = _base_.train_pipeline
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        ann_file=ann_file_train,
        data_prefix=dict(video=data_root),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file=ann_file_val,
        data_prefix=dict(video=data_root),
        pipeline=_base_.val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator

# To begin with, not published: a tenth of the rate for training from ImageNet.
train_cfg = dict(max_epochs=20)
optim_wrapper = dict(optimizer=dict(lr=1.25e-4, weight_decay=5e-4))
param_scheduler = [dict(_base_.param_scheduler[0], end=20, milestones=[10, 15])]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
# Looks for slips in the lists before anything is trained on them.
custom_hooks = [dict(type='mmtemporal.CheckAnnotationsHook')]
# 1 GPU with 8 clips.
auto_scale_lr = dict(base_batch_size=8)
