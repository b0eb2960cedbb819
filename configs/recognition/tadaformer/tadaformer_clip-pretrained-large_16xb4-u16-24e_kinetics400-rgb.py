_base_ = './tadaformer_clip-pretrained-base_8xb32-u16-30e_kinetics400-rgb.py'

model = dict(
    backbone=dict(
        arch='large',
        pretrained='https://openaipublic.azureedge.net/clip/models/b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836/ViT-L-14.pt',
    ),
    cls_head=dict(in_channels=1024),
)

train_dataloader = dict(batch_size=4)
train_cfg = dict(max_epochs=24)
optim_wrapper = dict(
    optimizer=dict(lr=2e-5), paramwise_cfg=dict(layer_decay=dict(rate=0.85))
)
param_scheduler = [
    dict(_base_.param_scheduler[0], start_factor=1e-6 / 2e-5),
    dict(_base_.param_scheduler[1], T_max=19, eta_min_ratio=1e-6 / 2e-5, end=24),
]
# 16 GPUs with 4 clips each.
auto_scale_lr = dict(base_batch_size=64)
