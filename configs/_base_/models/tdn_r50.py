custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)

model = dict(
    type='Recognizer2D',
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        # Each segment is a clip of 5 frames, (3, 5, h, w).
        format_shape='NCTHW',
    ),
    backbone=dict(
        type='mmtemporal.TDN',
        depth=50,
        num_segments=8,
        pretrained=None,
    ),
    cls_head=dict(
        type='mmtemporal.TDNHead',
        num_classes=400,
        in_channels=2048,
        num_segments=8,
        dropout_ratio=0.5,
        average_clips='prob',
    ),
)
