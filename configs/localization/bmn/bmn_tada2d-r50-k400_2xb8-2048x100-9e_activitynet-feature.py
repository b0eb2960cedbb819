# MMAction2's recipe for BMN, with features of TAda2D.
_base_ = [
    '../../_base_/datasets/activitynet_features.py',
    '../../_base_/default_runtime.py',
]

custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)
work_dir = 'work_dirs/bmn_tada2d-r50-k400_2xb8-2048x100-9e_activitynet-feature'

model = dict(
    type='BMN',
    feat_dim=2048,
    temporal_dim=100,
    boundary_ratio=0.5,
    num_samples=32,
    num_samples_per_bin=3,
    soft_nms_alpha=0.4,
    soft_nms_low_threshold=0.5,
    soft_nms_high_threshold=0.9,
    post_process_top_k=100,
)

val_evaluator = dict(
    type='ANetMetric',
    metric_type='AR@AN',
    dump_config=dict(out=f'{work_dir}/results.json', output_format='json'),
)
test_evaluator = val_evaluator

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=9, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='Adam', lr=1e-3, weight_decay=1e-4),
    clip_grad=dict(max_norm=40, norm_type=2),
)
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=9, by_epoch=True, milestones=[7], gamma=0.1)
]
auto_scale_lr = dict(enable=False, base_batch_size=16)
