# Your own videos: a list has lines such as "folder/clip.mp4 3", a path below
# data_root and the number of the class, from 0.
data_root = 'data/mydata'
ann_file_train = f'{data_root}/train.txt'
ann_file_val = f'{data_root}/val.txt'
num_classes = 10

_base_ = [
    '../../_base_/models/tadaformer_base.py',
    '../../_base_/pipelines/u16_rand_augment.py',
    '../../_base_/schedules/adamw_tadaformer_30e.py',
    '../../_base_/default_runtime.py',
]

# pretrained is a file or URL of CLIP's B/16, from whichever library. Where the order of
# frames matters, form='S' is what the authors have for Something-Something.
model = dict(
    backbone=dict(
        pretrained='https://openaipublic.azureedge.net/clip/models/5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt'
    ),
    cls_head=dict(num_classes=num_classes),
)

# It flips. Where left and right make a difference, leave that out:
# [step for step in _base_.train_pipeline if step.type != 'Flip'].
train_pipeline = _base_.train_pipeline
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        ann_file=ann_file_train,
        data_prefix=dict(video=data_root),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    train_dataloader,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        train_dataloader['dataset'],
        ann_file=ann_file_val,
        pipeline=_base_.val_pipeline,
        test_mode=True,
    ),
)
test_dataset = dict(val_dataloader['dataset'], pipeline=_base_.test_pipeline)
test_dataloader = dict(val_dataloader, batch_size=1, dataset=test_dataset)
val_evaluator = test_evaluator = dict(type='AccMetric')

# To begin with, not published: a fifth of the recipe's rate, as a batch is small.
train_cfg = dict(max_epochs=20)
optim_wrapper = dict(optimizer=dict(lr=1e-5))
param_scheduler = [
    dict(_base_.param_scheduler[0], start_factor=0.1, end=2),
    dict(_base_.param_scheduler[1], eta_min_ratio=0.1, T_max=18, begin=2, end=20),
]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
# Looks for slips in the lists before anything is trained on them.
custom_hooks = [dict(type='mmtemporal.CheckAnnotationsHook')]
# 1 GPU with 8 clips.
auto_scale_lr = dict(base_batch_size=8)
