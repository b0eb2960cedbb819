_base_ = './tsn_imagenet-pretrained-r50_8xb8-1x1x8-50e_kinetics400-rgb.py'

custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TAdaConvNeXtV2',
        arch='tiny',
        # That of num_clips in SampleFrames.
        num_segments=8,
        drop_path_rate=0.2,
        pretrained='https://dl.fbaipublicfiles.com/convnext/convnext_tiny_1k_224_ema.pth',
    ),
    cls_head=dict(
        _delete_=True,
        type='mmtemporal.TAdaHead',
        num_classes=_base_.num_classes,
        in_channels=768,
        # The backbone has averaged over the frames already.
        num_segments=1,
        average_clips='prob',
    ),
)

# The rate and decay of a ResNet do not suit a ConvNeXt. Its recipe has 1e-6 a clip.
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=6.4e-5, weight_decay=0.02)
)
