_base_ = (
    '../tsn/tsn_imagenet-pretrained-efficientnetlite0_1xb16-1x1x8-12e_utdmhad-depth.py'
)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TemporalAdapter',
        backbone={{_base_.model.backbone}},
        temporal=dict(type='TAdaConv'),
        # Not those of stride 2, which timm pads as TensorFlow does.
        where=r'blocks\.(\d\.[1-9]|[046]\.0)\.conv_dw',
        num_segments=8,
    )
)
