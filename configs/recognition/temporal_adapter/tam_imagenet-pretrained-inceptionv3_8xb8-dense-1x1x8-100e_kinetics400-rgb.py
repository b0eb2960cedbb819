_base_ = (
    '../tanet/tanet_imagenet-pretrained-r50_8xb8-dense-1x1x8-100e_kinetics400-rgb.py'
)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TemporalAdapter',
        backbone=dict(
            type='torchvision.inception_v3',
            aux_logits=False,
            # What the weights were trained with, as torchvision sets it with them.
            transform_input=True,
            init_weights=False,
        ),
        temporal=dict(type='TAM'),
        where='inception_v3',
        num_segments=8,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth',
        ),
    ),
    cls_head=dict(in_channels=2048),
)
