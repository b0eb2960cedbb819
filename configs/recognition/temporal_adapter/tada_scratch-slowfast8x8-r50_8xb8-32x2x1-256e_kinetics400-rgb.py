_base_ = './tada_scratch-slowfast4x16-r50_8xb8-32x2x1-256e_kinetics400-rgb.py'

# The slow pathway takes every fourth frame.
model = dict(
    backbone=dict(
        backbone=dict(
            resample_rate=4, speed_ratio=4, slow_pathway=dict(fusion_kernel=7)
        )
    )
)
