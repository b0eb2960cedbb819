# Something-Something V1, prepared as MMAction2's tools/data/sthv1 does it. The
# classes are in the order of the data set's own list.
data_root = 'data/sthv1'
num_classes = 174
# Classes that flipping turns into each other.
flip_label_map = {2: 4, 4: 2, 30: 41, 41: 30, 52: 66, 66: 52}

train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='RawframeDataset',
        ann_file=f'{data_root}/sthv1_train_list_rawframes.txt',
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
        ann_file=f'{data_root}/sthv1_val_list_rawframes.txt',
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
        ann_file=f'{data_root}/sthv1_val_list_rawframes.txt',
        data_prefix=dict(img=f'{data_root}/rawframes'),
        filename_tmpl='{:05}.jpg',
        test_mode=True,
    ),
)

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator

# Mistakes in the lists stop a run before it starts; docs/robustness.md says more.
custom_hooks = [dict(type='mmtemporal.CheckAnnotationsHook')]
