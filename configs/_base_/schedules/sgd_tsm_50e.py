_base_ = ['sgd_50e.py']

# As TSM: the last layer learns five times as fast, and its bias ten times.
optim_wrapper = dict(
    constructor='TSMOptimWrapperConstructor',
    paramwise_cfg=dict(fc_lr5=True),
    clip_grad=dict(max_norm=20),
)
