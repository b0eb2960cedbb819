"""Names of TIN's tensors: the authors' releases and the MMAction2 zoo."""

from typing import Optional

from .resnet_names import mmaction2_name, rename_classifier

# The small networks of the interlacing: (theirs, ours).
_NETS = {
    'biasnet.net.conv': 'offset_net.conv',
    'biasnet.net.fc': 'offset_net.fc1',
    'biasnet.net.lastlayer': 'offset_net.fc2',
    'weightnet.net.lastlayer': 'weight_net.conv',
}


def is_official(name: str) -> bool:
    """Whether only the authors of TIN use such a name."""
    return name.startswith('base_model.') and '.net1.biasnet.' in name


def rename_official(name: str) -> Optional[str]:
    """Return our name of a tensor of the authors' TIN, else None."""
    classifier = rename_classifier(name)
    if classifier is not None or not name.startswith('base_model.'):
        return classifier
    name = name.replace('base_model.', 'backbone.', 1)
    block, interlacing, rest = name.partition('.conv1.net1.')
    if interlacing:
        net, _, tensor = rest.rpartition('.')
        return (
            f'{block}.conv1.conv.net1.{_NETS[net]}.{tensor}' if net in _NETS else None
        )
    if name.endswith('.conv1.net2.weight'):
        return name.replace('.conv1.net2.', '.conv1.conv.net2.')
    return mmaction2_name(name)


def is_zoo(name: str) -> bool:
    """Whether a name belongs to a TIN recognizer of MMAction2."""
    return name.startswith('backbone.') and '.net1.offset_net.' in name
