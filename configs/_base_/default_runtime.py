# What MMAction2's own configs share, with three hooks of this package. It stands here,
# as a checkout of MMAction2 has no files that configs of others can inherit by name.
default_scope = 'mmaction'

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # docs/patches_and_hooks.md says what these three do.
    checkpoint=dict(type='mmtemporal.SafeCheckpointHook', interval=1, save_best='auto'),
    resume_schedule=dict(type='mmtemporal.ResumeScheduleHook'),
    config=dict(type='mmtemporal.CheckConfigHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    sync_buffers=dict(type='SyncBuffersHook'),
)
log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
log_level = 'INFO'
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

load_from = None
resume = False
