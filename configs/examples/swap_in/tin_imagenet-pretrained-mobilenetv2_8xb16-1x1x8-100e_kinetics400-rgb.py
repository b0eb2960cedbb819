# A config of MMAction2, and its host with another layer: TIN in place of TSM's shift.
_base_ = [
    'mmaction::recognition/tsm/'
    'tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb.py'
]

custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmtemporal.TemporalAdapter',
        backbone=dict(type='MobileNetV2', pretrained='mmcls://mobilenet_v2'),
        temporal=dict(type='TemporalInterlace'),
        # That of num_clips in SampleFrames, and of the head.
        num_segments=8,
    )
)
