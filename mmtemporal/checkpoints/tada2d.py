"""Names of TAda2D's tensors in the authors' release."""

import re
from typing import Optional

from torch import Tensor

# Layers of a block: (theirs, ours).
_LAYERS = {
    'short_cut': 'downsample.conv',
    'short_cut_bn': 'downsample.bn',
    'conv_branch.a': 'conv1.conv',
    'conv_branch.a_bn': 'conv1.bn',
    'conv_branch.b': 'conv2.conv',
    'conv_branch.b_rf.g': 'conv2.conv.routing.g',
    'conv_branch.b_rf.a': 'conv2.conv.routing.a',
    'conv_branch.b_rf.bn': 'conv2.conv.routing.bn',
    'conv_branch.b_rf.b': 'conv2.conv.routing.b',
    'conv_branch.b_bn': 'conv2.bn',
    'conv_branch.b_avgpool_bn': 'conv2.aggregation.avg',
    'conv_branch.c': 'conv3.conv',
    'conv_branch.c_bn': 'conv3.bn',
}
_STEM = {'conv1.a': 'conv1.conv', 'conv1.a_bn': 'conv1.bn'}


def is_official(name: str) -> bool:
    """Whether only the authors of TAda2D use such a name."""
    return re.match(r'backbone\.conv\d\.(a|res_\d+)\b', name) is not None


def rename_official(name: str) -> Optional[str]:
    """Return our name of a tensor of the authors' TAda2D, else None."""
    layer, _, tensor = name.rpartition('.')
    if layer == 'head.out':
        return f'cls_head.fc_cls.{tensor}'
    layer = layer.removeprefix('backbone.')
    if layer in _STEM:
        return f'backbone.{_STEM[layer]}.{tensor}'
    match = re.fullmatch(r'conv([2-5])\.res_(\d+)\.(.+)', layer)
    if match is None or match[3] not in _LAYERS:
        return None
    stage, block = int(match[1]) - 1, int(match[2]) - 1
    return f'backbone.layer{stage}.{block}.{_LAYERS[match[3]]}.{tensor}'


def reshape_official(name: str, tensor: Tensor) -> Tensor:
    """Take off the dimensions of size one that our 1-D and 2-D layers lack."""
    if tensor.dim() == 6:
        # (1, 1, o, i, h, w), a calibrated kernel
        return tensor[0, 0]
    if tensor.dim() == 5 and '_rf.' in name:
        # (o, i, k, 1, 1), a temporal one
        return tensor[..., 0, 0]
    if tensor.dim() == 5:
        # (o, i, 1, h, w), a spatial one
        return tensor[:, :, 0]
    return tensor
