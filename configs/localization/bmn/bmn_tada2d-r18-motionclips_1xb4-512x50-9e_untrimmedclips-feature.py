_base_ = './bmn_tada2d-r50-k400_2xb8-2048x100-9e_activitynet-feature.py'

# Made by: python tools/make_untrimmed_clips.py data/untrimmed_clips
data_root = 'data/untrimmed_clips'
# From configs/localization/features/tada2d-r18_motionclips.py.
features = f'{data_root}/features'
work_dir = 'work_dirs/bmn_tada2d-r18-motionclips_1xb4-512x50-9e_untrimmedclips-feature'

# Half the rows for short videos: it takes a quarter of the time.
model = dict(feat_dim=512, temporal_dim=50)

train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    dataset=dict(ann_file=f'{data_root}/train.json', data_prefix=dict(video=features)),
)
val_dataloader = dict(
    num_workers=2,
    dataset=dict(ann_file=f'{data_root}/val.json', data_prefix=dict(video=features)),
)
test_dataloader = val_dataloader

val_evaluator = dict(dump_config=dict(out=f'{work_dir}/results.json'))
test_evaluator = val_evaluator

default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
randomness = dict(seed=0)
auto_scale_lr = dict(enable=False, base_batch_size=4)
