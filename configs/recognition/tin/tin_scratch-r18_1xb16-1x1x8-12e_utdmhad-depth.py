_base_ = [
    '../../_base_/models/tin_r50.py',
    '../../_base_/datasets/utd_mhad.py',
    '../../_base_/schedules/adamw_12e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(depth=18),
    cls_head=dict(num_classes=27, in_channels=512, dropout_ratio=0.5),
)

default_hooks = dict(checkpoint=dict(max_keep_ckpts=1, save_best=None))
