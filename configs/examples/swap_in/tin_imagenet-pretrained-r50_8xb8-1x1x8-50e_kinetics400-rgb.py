_base_ = './tsn_imagenet-pretrained-r50_8xb8-1x1x8-50e_kinetics400-rgb.py'

custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TIN',
        depth=50,
        # That of num_clips in SampleFrames.
        num_segments=8,
        pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth',
    ),
    cls_head=dict(
        _delete_=True,
        type='mmtemporal.TINHead',
        num_classes=_base_.num_classes,
        in_channels=2048,
        num_segments=8,
        average_clips='prob',
    ),
)
