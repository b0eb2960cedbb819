_base_ = ['mmaction::localization/bmn/bmn_2xb8-400x100-9e_activitynet-feature.py']

custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)
# From configs/localization/features/tada2d-r50_kinetics400.py.
data_root = 'data/ActivityNet/tada2d_r50_k400'
work_dir = 'work_dirs/bmn_tada2d-r50-k400_2xb8-2048x100-9e_activitynet-feature'

model = dict(feat_dim=2048)

train_dataloader = dict(dataset=dict(data_prefix=dict(video=data_root)))
val_dataloader = dict(dataset=dict(data_prefix=dict(video=data_root)))
test_dataloader = dict(dataset=dict(data_prefix=dict(video=data_root)))

val_evaluator = dict(dump_config=dict(out=f'{work_dir}/results.json'))
test_evaluator = val_evaluator

auto_scale_lr = dict(enable=False, base_batch_size=16)
