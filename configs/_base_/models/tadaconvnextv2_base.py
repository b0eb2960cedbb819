_base_ = './tadaconvnextv2_tiny.py'

model = dict(
    backbone=dict(arch='base', drop_path_rate=0.6),
    cls_head=dict(in_channels=1024),
)
