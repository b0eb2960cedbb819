custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)

model = dict(
    type='Recognizer3D',
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[114.75, 114.75, 114.75],
        std=[57.375, 57.375, 57.375],
        format_shape='NCTHW',
    ),
    backbone=dict(
        type='mmtemporal.TAdaConvNeXtV2',
        arch='tiny',
        num_segments=16,
        drop_path_rate=0.2,
        pretrained=None,
    ),
    cls_head=dict(
        type='mmtemporal.TAdaHead',
        num_classes=400,
        in_channels=768,
        dropout_ratio=0.5,
        average_clips='prob',
    ),
)
