custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)

model = dict(
    type='Recognizer3D',
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        # Those of CLIP.
        mean=[122.7709, 116.7460, 104.0937],
        std=[68.5005, 66.6322, 70.3232],
        format_shape='NCTHW',
    ),
    backbone=dict(
        type='mmtemporal.TAdaFormer',
        arch='base',
        num_segments=16,
        drop_path_rate=0,
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
