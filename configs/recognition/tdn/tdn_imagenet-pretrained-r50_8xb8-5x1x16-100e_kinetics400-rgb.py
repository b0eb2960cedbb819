_base_ = './tdn_imagenet-pretrained-r50_8xb16-5x1x8-100e_kinetics400-rgb.py'

model = dict(backbone=dict(num_segments=16), cls_head=dict(num_segments=16))

train_pipeline, val_pipeline, test_pipeline = (
    [dict(step, num_clips=16) if 'Sample' in step.type else step for step in pipeline]
    for pipeline in (_base_.train_pipeline, _base_.val_pipeline, _base_.test_pipeline)
)
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=8, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

# Half the clips per GPU at half the rate: linear scaling, not published.
optim_wrapper = dict(optimizer=dict(lr=0.01))
auto_scale_lr = dict(base_batch_size=64)
