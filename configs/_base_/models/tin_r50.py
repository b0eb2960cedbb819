custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)

model = dict(
    type='Recognizer2D',
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW',
    ),
    backbone=dict(
        type='mmtemporal.TIN',
        depth=50,
        num_segments=8,
        pretrained=None,
    ),
    cls_head=dict(
        type='mmtemporal.TINHead',
        num_classes=400,
        in_channels=2048,
        num_segments=8,
        dropout_ratio=0.5,
        average_clips='prob',
    ),
)
