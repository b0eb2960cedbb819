# 3-D ResNet-50s that keep the number of frames, for TemporalAdapter to wrap.
slowonly_r50 = dict(
    type='ResNet3dSlowOnly',
    depth=50,
    lateral=False,
    conv1_kernel=(1, 7, 7),
    conv1_stride_t=1,
    pool1_stride_t=1,
    inflate=(0, 0, 1, 1),
    norm_eval=False,
    pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth',
)
r3d_r50 = dict(
    type='ResNet3d',
    depth=50,
    conv1_kernel=(3, 7, 7),
    conv1_stride_t=1,
    pool1_stride_t=1,
    with_pool2=False,
    inflate_style='3x3x3',
    norm_eval=False,
    pretrained='https://download.pytorch.org/models/resnet50-0676ba61.pth',
)
# MMAction2 cannot inflate ImageNet weights into convolutions in two steps.
r2plus1d_r50 = dict(
    r3d_r50,
    conv1_kernel=(1, 7, 7),
    conv_cfg=dict(type='mmtemporal.Conv2plus1d'),
    pretrained=None,
)
