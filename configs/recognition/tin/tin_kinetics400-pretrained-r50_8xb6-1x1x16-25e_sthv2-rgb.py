_base_ = './tin_kinetics400-pretrained-r50_8xb6-1x1x8-25e_sthv2-rgb.py'

model = dict(
    backbone=dict(
        num_segments=16,
        # The zoo's TSM: see README.md. Its TIN is for 8 frames only.
        pretrained='checkpoints/tsm_r50_1x1x8_50e_kinetics400_rgb_20200607-af7fb746.pth',
    ),
    cls_head=dict(num_segments=16),
)

train_pipeline, val_pipeline, test_pipeline = (
    [dict(step, num_clips=16) if 'Sample' in step.type else step for step in pipeline]
    for pipeline in (_base_.train_pipeline, _base_.val_pipeline, _base_.test_pipeline)
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
