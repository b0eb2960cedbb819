_base_ = './tada_scratch-slowfast4x16-r50_8xb8-32x2x1-256e_kinetics400-rgb.py'

model = dict(backbone=dict(temporal=dict(type='TAM'), where='temporal_convs'))
