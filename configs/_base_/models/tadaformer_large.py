_base_ = './tadaformer_base.py'

model = dict(backbone=dict(arch='large'), cls_head=dict(in_channels=1024))
