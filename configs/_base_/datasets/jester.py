# Jester, prepared as MMAction2's tools/data/jester does it. Many gestures are
# another class when flipped, so the recipes do not flip.
data_root = 'data/jester'
num_classes = 27

train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='RawframeDataset',
        ann_file=f'{data_root}/jester_train_list_rawframes.txt',
        data_prefix=dict(img=f'{data_root}/rawframes'),
        filename_tmpl='{:05}.jpg',
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='RawframeDataset',
        ann_file=f'{data_root}/jester_val_list_rawframes.txt',
        data_prefix=dict(img=f'{data_root}/rawframes'),
        filename_tmpl='{:05}.jpg',
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='RawframeDataset',
        ann_file=f'{data_root}/jester_val_list_rawframes.txt',
        data_prefix=dict(img=f'{data_root}/rawframes'),
        filename_tmpl='{:05}.jpg',
        test_mode=True,
    ),
)

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator

# Mistakes in the lists stop a run before it starts; docs/robustness.md says more.
custom_hooks = [dict(type='mmtemporal.CheckAnnotationsHook')]
