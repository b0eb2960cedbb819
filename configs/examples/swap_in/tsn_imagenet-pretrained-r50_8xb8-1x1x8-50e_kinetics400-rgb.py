# The network to replace: a plain TSN, as a config of MMAction2 has it.
_base_ = [
    '../../_base_/models/tsn_r50.py',
    '../../_base_/datasets/kinetics400.py',
    '../../_base_/pipelines/1x1x8_multi_scale_crop.py',
    '../../_base_/schedules/sgd_50e.py',
    '../../_base_/default_runtime.py',
]

# Here it only repairs the released MMAction2.
custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)

train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
