"""Loading a backbone from the checkpoint of a whole recognizer."""

from mmengine.logging import print_log
from mmengine.runner import load_state_dict
from torch import nn

from .checkpoint_report import summarise

_PREFIX = 'backbone.'


def is_recognizer(state_dict: dict) -> bool:
    """Tells whether tensors are those of a recognizer, not of its backbone alone."""
    return any(name.startswith(_PREFIX) for name in state_dict)


def keep_backbone(state_dict: dict) -> None:
    """Reduces the tensors of a recognizer, in place, to those of its backbone.

    Those of no recognizer are left as they are.
    """
    if not is_recognizer(state_dict):
        return
    tensors = dict(state_dict)
    state_dict.clear()
    for name, tensor in tensors.items():
        if name.startswith(_PREFIX):
            state_dict[name.removeprefix(_PREFIX)] = tensor
    print_log(
        f'took the {len(state_dict)} tensors of the backbone from the '
        f'{len(tensors)} of a recognizer',
        logger='current',
    )


def take_backbone(backbone: nn.Module, state_dict: dict) -> None:
    """Reduces them as :func:`keep_backbone`, but refuses those of another backbone.

    Args:
        backbone: The backbone that they are being loaded into.
        state_dict: The tensors.

    Raises:
        ValueError: The recognizer has another backbone.
    """
    recognizer = is_recognizer(state_dict)
    keep_backbone(state_dict)
    if recognizer and not state_dict.keys() & backbone.state_dict().keys():
        raise ValueError(
            'the checkpoint is of a recognizer whose backbone is no '
            f'{type(backbone).__name__}: it has {summarise([*state_dict])}; set '
            'backbone.type to that of the checkpoint'
        )


def load_recognizer(backbone: nn.Module, state_dict: dict) -> None:
    """Loads a backbone from the tensors of a recognizer as mmengine would."""
    load_state_dict(backbone, dict(state_dict), logger='current')
