# ActivityNet, a table of features for each video, and the lists that MMAction2's
# tools/data/activitynet makes.
# From configs/localization/features/tada2d-r50_kinetics400.py.
data_root = 'data/ActivityNet/tada2d_r50_k400'

truth = ('duration_second', 'duration_frame', 'annotations', 'feature_frame')
train_pipeline = [
    dict(type='LoadLocalizationFeature'),
    dict(type='GenerateLocalizationLabels'),
    dict(type='PackLocalizationInputs', keys=('gt_bbox',), meta_keys=('video_name',)),
]
val_pipeline = [
    dict(type='LoadLocalizationFeature'),
    dict(type='GenerateLocalizationLabels'),
    dict(
        type='PackLocalizationInputs',
        keys=('gt_bbox',),
        meta_keys=('video_name', *truth),
    ),
]
test_pipeline = [
    dict(type='LoadLocalizationFeature'),
    dict(
        type='PackLocalizationInputs',
        keys=('gt_bbox',),
        meta_keys=('video_name', *truth),
    ),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ActivityNetDataset',
        ann_file='data/ActivityNet/anet_anno_train.json',
        data_prefix=dict(video=data_root),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ActivityNetDataset',
        ann_file='data/ActivityNet/anet_anno_val.json',
        data_prefix=dict(video=data_root),
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ActivityNetDataset',
        ann_file='data/ActivityNet/anet_anno_val.json',
        data_prefix=dict(video=data_root),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
