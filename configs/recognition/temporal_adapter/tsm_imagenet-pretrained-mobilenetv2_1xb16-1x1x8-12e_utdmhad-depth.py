_base_ = '../tsn/tsn_imagenet-pretrained-mobilenetv2_1xb16-1x1x8-12e_utdmhad-depth.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TemporalAdapter',
        backbone={{_base_.model.backbone}},
        temporal=dict(type='TemporalShift', learnable=False),
        num_segments=8,
    )
)
