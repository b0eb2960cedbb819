_base_ = './tadaconvnextv2_tiny.py'

model = dict(backbone=dict(arch='small', drop_path_rate=0.4))
