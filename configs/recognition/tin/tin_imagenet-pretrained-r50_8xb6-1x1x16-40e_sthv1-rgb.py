_base_ = './tin_imagenet-pretrained-r50_8xb6-1x1x8-40e_sthv1-rgb.py'

model = dict(backbone=dict(num_segments=16), cls_head=dict(num_segments=16))

train_pipeline, val_pipeline, test_pipeline = (
    [dict(step, num_clips=16) if 'Sample' in step.type else step for step in pipeline]
    for pipeline in (_base_.train_pipeline, _base_.val_pipeline, _base_.test_pipeline)
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
