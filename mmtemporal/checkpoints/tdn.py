"""Names of TDN's tensors in the authors' release."""

import re
from typing import Optional

from torch import Tensor

from .resnet_names import mmaction2_name, rename_classifier

# Parts of the network: (theirs, ours).
_PARTS = (
    ('base_model.resnext_layer', 'backbone.diff_layer'),
    ('base_model.', 'backbone.'),
    ('.conv1_5.0.', '.diff_conv1.conv.'),
    ('.conv1_5.1.', '.diff_conv1.bn.'),
)

# Layers of the long-term module: (theirs, ours).
_LONG_TERM = {
    'conv1': 'reduce',
    'bn1': 'reduce_bn',
    'conv2': 'align',
    'conv3_smallscale2': 'pooled',
    'bn3_smallscale2': 'pooled_bn',
    'conv3_smallscale4': 'full',
    'bn3_smallscale4': 'full_bn',
    'conv3': 'expand',
    'bn3': 'expand_bn',
}


def is_official(name: str) -> bool:
    """Whether only the authors of TDN use such a name."""
    return (
        re.match(r'base_model\.(conv1_5|resnext_layer1|layer\d_bak)\.', name)
        is not None
    )


def rename_official(name: str) -> Optional[str]:
    """Return our name of a tensor of the authors' TDN, else None."""
    classifier = rename_classifier(name)
    if classifier is not None or not name.startswith('base_model.'):
        return classifier
    for old, new in _PARTS:
        name = name.replace(old, new)
    name = re.sub(r'\.layer(\d)_bak\.', r'.layer\1.', name)
    block, long_term, rest = name.partition('.mse.')
    if long_term:
        layer, _, tensor = rest.partition('.')
        ours = _LONG_TERM.get(layer)
        return f'{block}.ltdm.{ours}.{tensor}' if ours else None
    if '.shift.' in name or '.diff_conv1.' in name:
        return name
    return mmaction2_name(name)


def is_unused(name: str) -> bool:
    """Whether a name is of the stem that the difference stem was made of."""
    return '.conv1_temp' in name


def fold_biases(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Remove the biases, which our TDN lacks, without changing the network.

    A batch norm follows every biased convolution of the release, so that the
    bias can be taken off its running mean.
    """
    tensors = dict(tensors)
    for name in list(tensors):
        norm = re.sub(r'conv(\d)\.bias$', r'bn\1', name)
        norm = re.sub(r'downsample\.0\.bias$', 'downsample.1', norm)
        if norm != name:
            mean = f'{norm}.running_mean'
            if mean not in tensors:
                raise ValueError(f'{name} cannot be folded: there is no {mean}')
            tensors[mean] = tensors[mean] - tensors.pop(name)
    return tensors
