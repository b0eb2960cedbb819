# Multi-Moments in Time, prepared as MMAction2's tools/data/mmit does it. A video
# has several labels.
data_root = 'data/mmit'
num_classes = 313

train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        ann_file=f'{data_root}/mmit_train_list_videos.txt',
        data_prefix=dict(video=f'{data_root}/videos'),
        multi_class=True,
        num_classes=num_classes,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file=f'{data_root}/mmit_val_list_videos.txt',
        data_prefix=dict(video=f'{data_root}/videos'),
        multi_class=True,
        num_classes=num_classes,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file=f'{data_root}/mmit_val_list_videos.txt',
        data_prefix=dict(video=f'{data_root}/videos'),
        multi_class=True,
        num_classes=num_classes,
        test_mode=True,
    ),
)

val_evaluator = dict(type='AccMetric', metric_list='mmit_mean_average_precision')
test_evaluator = val_evaluator

# Mistakes in the lists stop a run before it starts; docs/robustness.md says more.
custom_hooks = [dict(type='mmtemporal.CheckAnnotationsHook')]
