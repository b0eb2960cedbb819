"""Names of the tensors of a ConvNeXt: those of Facebook's release are ours."""

import re
from collections.abc import Mapping
from typing import Optional

from torch import Tensor

from .image_network import ImageNetwork

# What becomes a name of Facebook's release, if done in turn.
_RENAMINGS = (
    # torchvision
    (r'^features\.0\.', 'downsample_layers.0.'),
    (r'^features\.([246])\.', lambda match: f'downsample_layers.{int(match[1]) // 2}.'),
    (r'^features\.([1357])\.', lambda match: f'stages.{int(match[1]) // 2}.'),
    (r'\.block\.0\.', '.dwconv.'),
    (r'\.block\.2\.', '.norm.'),
    (r'\.block\.3\.', '.pwconv1.'),
    (r'\.block\.5\.', '.pwconv2.'),
    (r'\.layer_scale$', '.gamma'),
    (r'^classifier\.0\.', 'norm.'),
    (r'^classifier\.2\.', 'head.'),
    # timm
    (r'^stem\.', 'downsample_layers.0.'),
    (r'^stages\.(\d)\.downsample\.', r'downsample_layers.\1.'),
    (r'^stages\.(\d)\.blocks\.', r'stages.\1.'),
    (r'\.conv_dw\.', '.dwconv.'),
    (r'\.mlp\.fc([12])\.', r'.pwconv\1.'),
    (r'^(head\.norm|norm_pre)\.', 'norm.'),
    # mmpretrain
    (r'^backbone\.', ''),
    (r'\.depthwise_conv\.', '.dwconv.'),
    (r'\.pointwise_conv([12])\.', r'.pwconv\1.'),
    (r'^norm3\.', 'norm.'),
)


def facebook_name(name: str) -> str:
    """Return the name that a tensor has in Facebook's release of ConvNeXt.

    Args:
        name: That of torchvision, timm or mmpretrain, or already Facebook's. An
            unknown one is returned as it is.
    """
    for pattern, replacement in _RENAMINGS:
        name = re.sub(pattern, replacement, name)
    return name


class ImageConvNeXt(ImageNetwork):
    """A ConvNeXt of image files, whose stem has no time."""

    name = 'ConvNeXt'
    stage = r'(?:stages|downsample_layers)\.(\d)\.'
    first_stage = 0
    stems = ('downsample_layers.0.0.weight',)
    classifier = ('head.', 'norm.', 'cls_head.', 'data_preprocessor.')
    size = 'arch'

    def find(self, tensors: Mapping[str, Tensor]) -> Optional[dict[str, Tensor]]:
        renamed = {facebook_name(name): tensor for name, tensor in tensors.items()}
        stem = renamed.get(self.stems[0])
        return renamed if stem is not None and stem.dim() == 4 else None
