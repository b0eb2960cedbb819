_base_ = './tadaformer_large.py'

model = dict(
    backbone=dict(form='S', drop_path_rate=0.2), cls_head=dict(num_classes=174)
)
