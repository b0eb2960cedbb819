# A copy needs your copy of that file here, which has your lists and classes.
_base_ = './tadaformer_clip-pretrained-base_1xb8-u16-20e_owndata-rgb.py'

# All of CLIP stays as it is. Trained are the TAda blocks and the classifier, 16.9 of
# 103.9 million parameters; with form='S' 48.0 of 135.0. The stem is CLIP's too, so that
# 8 of the 16 frames, every other one, have no influence.
model = dict(backbone=dict(freeze_clip=True))

# There is nothing to keep: blocks of all layers learn at the same rate.
optim_wrapper = dict(paramwise_cfg=dict(layer_decay=dict(rate=1)))
