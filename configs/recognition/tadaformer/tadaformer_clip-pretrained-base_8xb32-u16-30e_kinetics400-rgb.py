_base_ = [
    '../../_base_/models/tadaformer_base.py',
    '../../_base_/datasets/kinetics400.py',
    '../../_base_/pipelines/u16_rand_augment.py',
    '../../_base_/schedules/adamw_tadaformer_30e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        pretrained='https://openaipublic.azureedge.net/clip/models/5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt'
    ),
    cls_head=dict(num_classes=_base_.num_classes, label_smooth_eps=0.1),
)

train_dataloader = dict(batch_size=32, dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
