_base_ = [
    '../../_base_/models/tsn_r50.py',
    '../../_base_/datasets/motion_clips.py',
    '../../_base_/schedules/adamw_5e.py',
    '../../_base_/default_runtime.py',
]

custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)

model = dict(
    backbone=dict(depth=18, pretrained=None),
    cls_head=dict(num_classes=8, in_channels=512, dropout_ratio=0.0),
)

default_hooks = dict(checkpoint=dict(max_keep_ckpts=1, save_best='acc/top1'))
randomness = dict(seed=0)
