"""Names of TANet's tensors: the authors' release and the MMAction2 zoo."""

import re
from typing import Optional

from .resnet_names import mmaction2_name, rename_classifier

# Before the release the branches had other names.
_PRERELEASE = (('.self_conv.conv_f.', '.tam.G.'), ('.self_conv.conv_g.', '.tam.L.'))


def is_official(name: str) -> bool:
    """Whether only the authors of TAM use such a name."""
    return re.match(r'base_model\..*\.(tam\.[GL]|self_conv)\.', name) is not None


def rename_official(name: str) -> Optional[str]:
    """Return our name of a tensor of the authors' TANet, else None."""
    classifier = rename_classifier(name)
    if classifier is not None or not name.startswith('base_model.'):
        return classifier
    name = name.replace('base_model.', 'backbone.', 1)
    for old, new in _PRERELEASE:
        name = name.replace(old, new)
    if '.tam.' in name:
        return name
    return mmaction2_name(name.replace('.net.', '.block.'))


def is_zoo(name: str) -> bool:
    """Whether a name belongs to a TANet recognizer of MMAction2."""
    return name.startswith('backbone.') and '.tam.' in name
