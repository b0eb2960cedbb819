_base_ = './tsn_imagenet-pretrained-r50_8xb8-1x1x8-50e_kinetics400-rgb.py'

custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)

model = dict(
    # What CLIP was trained with.
    data_preprocessor=dict(
        mean=[122.7709, 116.7460, 104.0937], std=[68.5005, 66.6322, 70.3232]
    ),
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TAdaFormer',
        arch='base',
        # That of num_clips in SampleFrames.
        num_segments=8,
        pretrained='https://openaipublic.azureedge.net/clip/models/5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt',
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

# The rate and decay of a ResNet do not suit a transformer. Its recipe has this rate for
# 256 clips, and smaller ones for the layers in front.
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-5, weight_decay=0.05)
)
