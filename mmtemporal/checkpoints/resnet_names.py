"""Names of the tensors of a ResNet in torchvision's layout and in mmaction2's."""

import re
from typing import Optional

# The classifier of the TSN-like releases: with dropout, without dropout.
_CLASSIFIERS = ('new_fc', 'base_model.fc')


def rename_resnet(name: str) -> Optional[str]:
    """Returns mmaction2's name of a stem, block or downsample tensor, else None.

    ``bn1.bias`` becomes ``conv1.bn.bias``, ``conv1.weight`` becomes
    ``conv1.conv.weight``, ``downsample.0.weight`` ``downsample.conv.weight``.
    What comes before the last layer's name is kept.
    """
    match = re.fullmatch(r'(.*?)\b(conv|bn|downsample\.)(\d)(\.\w+)', name)
    if match is None:
        return None
    parent, layer, number, tensor = match.groups()
    if layer == 'downsample.':
        return f'{parent}downsample.{"conv" if number == "0" else "bn"}{tensor}'
    return f'{parent}conv{number}.{layer}{tensor}'


def rename_classifier(name: str) -> Optional[str]:
    """Returns our name of a tensor of the classifier, else None."""
    layer, _, tensor = name.rpartition('.')
    return f'cls_head.fc_cls.{tensor}' if layer in _CLASSIFIERS else None
