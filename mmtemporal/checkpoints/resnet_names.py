"""Names of the tensors of a ResNet: torchvision's, timm's and MMAction2's."""

import re
from collections.abc import Mapping
from typing import Any, Optional

from torch import Tensor

from .image_network import ImageNetwork

# The classifier of the TSN-like releases: with dropout, without dropout.
_CLASSIFIERS = ('new_fc', 'base_model.fc')
# MMAction2's and torchvision's, which are timm's and mmpretrain's as well.
_MMACTION2 = re.compile(r'(layer\d\.\d+\.)?(conv(\d)|downsample)\.(conv|bn)(\.\w+)')
_TORCHVISION = re.compile(
    r'(layer\d\.\d+\.)?((conv|bn)\d|downsample\.[01])\.\w+|fc\.\w+'
)


def mmaction2_name(name: str) -> Optional[str]:
    """Return MMAction2's name of a stem, block or downsample tensor, else None.

    ``bn1.bias`` becomes ``conv1.bn.bias``, ``conv1.weight`` becomes
    ``conv1.conv.weight``, ``downsample.0.weight`` ``downsample.conv.weight``.
    What comes before the last layer's name is kept.

    Args:
        name: That of torchvision.
    """
    match = re.fullmatch(r'(.*?)\b(conv|bn|downsample\.)(\d)(\.\w+)', name)
    if match is None:
        return None
    parent, layer, number, tensor = match.groups()
    if layer == 'downsample.':
        return f'{parent}downsample.{"conv" if number == "0" else "bn"}{tensor}'
    return f'{parent}conv{number}.{layer}{tensor}'


def torchvision_name(name: str) -> Optional[str]:
    """Return torchvision's name of a tensor of MMAction2's ResNet, else None."""
    match = _MMACTION2.fullmatch(name)
    if match is None:
        return None
    block, _, number, part, rest = match.groups(default='')
    if number:
        return f'{block}{part}{number}{rest}'
    return f'{block}downsample.{0 if part == "conv" else 1}{rest}'


def rename_classifier(name: str) -> Optional[str]:
    """Return our name of a tensor of the classifier, else None."""
    layer, _, tensor = name.rpartition('.')
    return f'cls_head.fc_cls.{tensor}' if layer in _CLASSIFIERS else None


def as_torchvision(tensors: Mapping[str, Tensor]) -> Optional[dict[str, Tensor]]:
    """Return the tensors of a ResNet by torchvision's names.

    Args:
        tensors: Those of a backbone of MMAction2, also a TSM, whose shifts have no
            tensors and are called ``net``; or of torchvision, timm or mmpretrain.

    Returns:
        The tensors, or None if one is of another network.
    """
    renamed: dict[Any, Tensor] = {}
    for name, tensor in tensors.items():
        new = torchvision_name(name.replace('.net.', '.'))
        if new is None and _TORCHVISION.fullmatch(name):
            new = name
        renamed[new] = tensor
    is_resnet = None not in renamed and 'layer1.0.conv1.weight' in renamed
    return renamed if is_resnet else None


class ImageResNet(ImageNetwork):
    """A ResNet, of image files or one that was trained on videos."""

    name = 'ResNet'
    stage = r'layer(\d)\.'
    first_stage = 1
    stems = ('conv1.conv.weight', 'diff_conv1.conv.weight')
    classifier = ('fc.',)
    size = 'depth'
    temporal_is_optional = True

    def find(self, tensors: Mapping[str, Tensor]) -> Optional[dict[str, Tensor]]:
        return as_torchvision(tensors)
