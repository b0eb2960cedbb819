"""Load a backbone from whatever file holds it, or a part of it, and say how."""

import logging
from collections.abc import Mapping
from pickle import UnpicklingError

from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from mmtemporal.config_types import loads_checkpoint

from .convert import find_tensors
from .report import Report


def load_pretrained(backbone: nn.Module) -> Report:
    """Load the file that ``backbone.pretrained`` names, and log what was done.

    Raises:
        ValueError: The file cannot be read, or is of another network.
    """
    path = backbone.pretrained
    if not isinstance(path, str):
        raise ValueError(
            f'backbone.pretrained must be the name of a file or a URL, got {path!r}'
        )
    try:
        checkpoint = CheckpointLoader.load_checkpoint(path, 'cpu')
    except (OSError, RuntimeError, EOFError, UnpicklingError, ValueError) as error:
        raise ValueError(f'cannot read backbone.pretrained={path}: {error}') from error
    return load_tensors(backbone, find_tensors(checkpoint), path)


def load_tensors(
    backbone: nn.Module, tensors: Mapping[str, Tensor], source: str
) -> Report:
    """Load a backbone from tensors, as ``pretrained`` does, and log what was done.

    Args:
        backbone: The backbone, initialised.
        tensors: Those of an image network; of a ResNet, TSN or TSM of MMAction2; or of
            a recognizer with this backbone.
        source: What they are called in messages.

    Raises:
        ValueError: They are of another network.
    """
    network = backbone.image_network(backbone)
    placed, report = network.place(tensors, source, pretrained=True)
    for key in placed.keys() & network.own.keys():
        network.own[key].copy_(placed[key])
    print_log(f'{source}: {report}', logger='current')
    return report


def initialise_backbone(
    backbone: nn.Module, tensors: Mapping[str, Tensor], source: str
) -> Report:
    """Initialise a backbone, and load it from an image network.

    Files that its own ``init_cfg`` and ``pretrained`` name are left aside.

    Args:
        backbone: The backbone, freshly built.
        tensors: See :func:`load_tensors`.
        source: What they are called in messages.

    Raises:
        ValueError: They do not fit, or the backbone takes none of this package's
            ``pretrained``.
    """
    if not (hasattr(backbone, 'image_network') and hasattr(backbone, 'pretrained')):
        raise ValueError(
            f'model.backbone is a {type(backbone).__name__}, none of the networks of '
            'mmtemporal that have backbone.pretrained; give it the file itself by '
            'backbone.init_cfg'
        )
    rules = backbone.init_cfg or []
    rules = [rules] if isinstance(rules, Mapping) else rules
    backbone.init_cfg = [rule for rule in rules if not loads_checkpoint(rule)]
    backbone.pretrained, backbone.torchvision_pretrain = None, True
    backbone.init_weights()
    return load_tensors(backbone, tensors, source)


def prepare_checkpoint(backbone: nn.Module, state_dict: dict, prefix: str) -> None:
    """Make a checkpoint fit a backbone, in place, or refuse it.

    mmengine loads checkpoints loosely and would only log the difference. Those of a
    whole recognizer are reduced to its backbone, if this is what is being loaded; an
    image network, also one that was trained on videos, gets the names of ours.

    Args:
        backbone: The network that the checkpoint is being loaded into.
        state_dict: The tensors of the checkpoint.
        prefix: What comes before the names of those of the backbone.

    Raises:
        ValueError: The checkpoint is of another network.
    """
    names = [name for name in state_dict if name.startswith(prefix)]
    theirs = {name[len(prefix) :]: state_dict[name] for name in names}
    if not prefix:
        theirs = find_tensors(theirs)
    if prefix and not theirs:
        raise ValueError(
            f'the checkpoint has no tensor of model.backbone, a '
            f'{type(backbone).__name__}; load_from takes that of a whole recognizer. '
            'Give the file of a backbone alone as backbone.pretrained, or in '
            "backbone.init_cfg=dict(type='Pretrained', checkpoint=...)"
        )
    network = backbone.image_network(backbone)
    placed, report = network.place(theirs, 'the checkpoint', nested=bool(prefix))
    for name in names:
        del state_dict[name]
    state_dict.update({prefix + key: tensor for key, tensor in placed.items()})
    if report.changes():
        text, level = f'the checkpoint: {report}', logging.INFO
        if report.new and not backbone.is_init:  # as it is before a test
            trained = f'the checkpoint of a trained {type(backbone).__name__}'
            text, level = f'{text}; for a test give {trained}', logging.WARNING
        print_log(text, logger='current', level=level)
