_base_ = './tadaformer_base.py'

model = dict(backbone=dict(form='S'), cls_head=dict(num_classes=174))
