"""Loading a backbone from the checkpoint of a whole recognizer."""

from mmengine.logging import print_log
from mmengine.runner import load_state_dict
from torch import nn

from .checkpoint_report import repeat_colours, summarise

_PREFIX = 'backbone.'
# The kernels that see the frames themselves, in all backbones.
_STEMS = ('conv1.conv.weight', 'diff_conv1.conv.weight', 'downsample_layers.0.0.weight')


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
    skipped = [name for name in tensors if not name.startswith(_PREFIX)]
    print_log(
        f'took the {len(state_dict)} tensors of the backbone from the '
        f'{len(tensors)} of a recognizer, skipped {summarise(skipped)}',
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
    if recognizer:
        check_names(backbone, state_dict)


def check_names(backbone: nn.Module, state_dict: dict, prefix: str = '') -> None:
    """Raise a ValueError if no tensor from a recognizer has a name of a backbone.

    Args:
        backbone: The backbone.
        state_dict: The tensors.
        prefix: What comes before the names of those of the backbone.
    """
    name = type(backbone).__name__
    theirs = [key for key in state_dict if key.startswith(prefix)]
    if not theirs:
        raise ValueError(
            f'the checkpoint has no tensor of model.backbone, a {name}; load_from '
            'takes that of a whole recognizer. Give the file of a backbone alone as '
            'backbone.pretrained, or in backbone.init_cfg=dict('
            "type='Pretrained', checkpoint=...)"
        )
    if not state_dict.keys() & backbone.state_dict(prefix=prefix).keys():
        raise ValueError(
            f'the checkpoint is of a recognizer whose backbone is no {name}: it has '
            f'{summarise(theirs)}; set backbone.type to that of the checkpoint'
        )


def load_recognizer(backbone: nn.Module, state_dict: dict) -> None:
    """Load a backbone from tensors, of a recognizer too, as mmengine would.

    But stems for colours are averaged and repeated where the backbone sees other
    channels.

    Raises:
        ValueError: They are of another backbone.
    """
    tensors, averaged = dict(state_dict), []
    own = backbone.state_dict()
    # The first takes one frame, that of differences several.
    stems = [stem for stem in _STEMS if stem in own]
    for name, tensor in state_dict.items():
        key = name.removeprefix(_PREFIX)
        if key in stems:
            frames = own[key].size(1) // own[stems[0]].size(1)
            tensors[name] = repeat_colours(tensor, own[key], frames)
            if tensors[name] is not tensor:
                averaged.append(name)
    if averaged:
        print_log(
            f'averaged over colours and repeated {summarise(averaged)}',
            logger='current',
        )
    load_state_dict(backbone, tensors, logger='current')
