# As TAdaFormer on Something-Something.
_base_ = './adamw_tadaformer_30e.py'

train_cfg = dict(max_epochs=24)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(_base_.param_scheduler[0], start_factor=1e-8 / 5e-4, end=4),
    dict(
        _base_.param_scheduler[1], T_max=20, eta_min_ratio=1e-6 / 5e-4, begin=4, end=24
    ),
]
