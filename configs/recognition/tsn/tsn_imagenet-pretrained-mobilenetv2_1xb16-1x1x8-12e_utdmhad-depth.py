_base_ = [
    '../../_base_/models/tsn_r50.py',
    '../../_base_/datasets/utd_mhad.py',
    '../../_base_/schedules/adamw_12e.py',
    '../../_base_/default_runtime.py',
]

custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)

# Made by: python tools/prepare_data.py imagenet_weights data/downloads data/weights
model = dict(
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        pretrained='data/weights/mobilenet_v2.pth',
    ),
    cls_head=dict(num_classes=27, in_channels=1280, dropout_ratio=0.5),
)

default_hooks = dict(checkpoint=dict(max_keep_ckpts=1, save_best=None))
