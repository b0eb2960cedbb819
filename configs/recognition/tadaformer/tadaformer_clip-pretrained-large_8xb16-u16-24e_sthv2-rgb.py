_base_ = './tadaformer_clip-pretrained-base_8xb32-u16-24e_sthv2-rgb.py'

model = dict(
    backbone=dict(
        arch='large',
        drop_path_rate=0.2,
        pretrained='https://openaipublic.azureedge.net/clip/models/b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836/ViT-L-14.pt',
    ),
    cls_head=dict(in_channels=1024),
)

train_dataloader = dict(batch_size=16)
optim_wrapper = dict(
    optimizer=dict(lr=2.5e-4), paramwise_cfg=dict(layer_decay=dict(rate=0.85))
)
param_scheduler = [
    dict(_base_.param_scheduler[0], start_factor=1e-8 / 2.5e-4),
    dict(_base_.param_scheduler[1], eta_min_ratio=1e-6 / 2.5e-4),
]
# 8 GPUs with 16 clips each.
auto_scale_lr = dict(base_batch_size=128)
