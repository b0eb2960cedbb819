"""Load a backbone from whatever file holds it, or a part of it, and say how."""

import logging
from collections.abc import Mapping, Sequence
from pickle import UnpicklingError

from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from mmtemporal.config_types import loads_checkpoint

from .convert import find_tensors
from .report import Report, compare, summarise
from .segments import depends_on_segments, resize_segments

_PREFIX = 'backbone.'
_COLOURS = 3


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
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
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
    placed, report = _fit(backbone, tensors, source, pretrained=True)
    for key, value in backbone.state_dict(keep_vars=True).items():
        if key in placed:
            value.data.copy_(placed[key])
    print_log(f'{source}: {report}', logger='current')
    return report


def start_backbone(
    backbone: nn.Module, tensors: Mapping[str, Tensor], source: str
) -> Report:
    """Initialise a backbone, and load it from an image network.

    Files that its own ``init_cfg`` and ``pretrained`` name are left aside.

    Args:
        backbone: The backbone, freshly built.
        tensors: See :func:`load_tensors`.
        source: What they are called in messages.

    Raises:
        ValueError: They do not fit, or the backbone is none of this package.
    """
    if not hasattr(backbone, 'image_network'):
        raise ValueError(
            f'model.backbone is a {type(backbone).__name__}, no network of mmtemporal; '
            'to initialise another one needs no conversion'
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
    theirs = {
        name[len(prefix) :]: tensor
        for name, tensor in state_dict.items()
        if name.startswith(prefix)
    }
    if prefix and not theirs:
        raise ValueError(
            f'the checkpoint has no tensor of model.backbone, a '
            f'{type(backbone).__name__}; load_from takes that of a whole recognizer. '
            'Give the file of a backbone alone as backbone.pretrained, or in '
            "backbone.init_cfg=dict(type='Pretrained', checkpoint=...)"
        )
    placed, report = _fit(backbone, theirs, 'the checkpoint', nested=bool(prefix))
    for name in theirs:
        del state_dict[prefix + name]
    state_dict.update({prefix + key: tensor for key, tensor in placed.items()})
    if report.changes():
        _log(backbone, report)


def _log(backbone: nn.Module, report: Report) -> None:
    text, level = f'the checkpoint: {report}', logging.INFO
    if report.new and not backbone.is_init:  # as it is before a test
        level = logging.WARNING
        text += (
            f'; for a test give the checkpoint of a trained {type(backbone).__name__}'
        )
    print_log(text, logger='current', level=level)


def _fit(
    backbone: nn.Module,
    tensors: Mapping[str, Tensor],
    source: str,
    nested: bool = False,
    pretrained: bool = False,
) -> tuple[dict[str, Tensor], Report]:
    """Return the tensors of a file by the names of a backbone, without loading them.

    Args:
        backbone: The backbone.
        tensors: The tensors of the file.
        source: What they are called in messages.
        nested: Whether the backbone's are being loaded as a part of a recognizer.
        pretrained: Whether as ``backbone.pretrained``: kernels for colours are averaged
            in the backbone's own checkpoints too, and these must be of recognizers,
            but with ``torchvision_pretrain=False``.
    """
    network, own = backbone.image_network, backbone.state_dict()
    whole = not nested and any(name.startswith(_PREFIX) for name in tensors)
    theirs = {
        name.removeprefix(_PREFIX): tensor
        for name, tensor in tensors.items()
        if not whole or name.startswith(_PREFIX)
    }
    image = None if own.keys() == theirs.keys() else network.find(backbone, theirs)
    must_be_image = pretrained and not whole
    must_be_image &= getattr(backbone, 'torchvision_pretrain', True)
    if image is None and must_be_image:
        image = theirs
    if image is None:
        placed, report = _fit_own(backbone, own, theirs, pretrained)
    else:
        placed, report = _fit_image_network(backbone, own, image)
    if (whole or nested) and not own.keys() & placed.keys():
        raise ValueError(
            f'{source} is of a recognizer whose backbone is no '
            f'{type(backbone).__name__}: it has {summarise([*theirs])}; set '
            'backbone.type to that of the checkpoint'
        )
    _check_blocks(backbone, own, theirs if image is None else image, source)
    _check(backbone, report, source, must_be_image)
    report.skipped += [name for name in tensors if whole and name[:9] != _PREFIX]
    return placed, report


def _fit_image_network(
    backbone: nn.Module, own: dict[str, Tensor], source: dict[str, Tensor]
) -> tuple[dict[str, Tensor], Report]:
    network = backbone.image_network
    names = network.names(backbone, own)
    new = [key for key in own if names[key] is None]
    placed, used = {}, {}
    copied, averaged, inflated = [], [], []
    for key, value in own.items():
        if names[key] not in source:
            continue
        theirs = source[names[key]]
        tensor = repeat_colours(network.adapt(backbone, key, theirs), value)
        if tensor.dim() > theirs.dim():
            inflated.append(key)
        if theirs.dim() >= 4 and tensor.shape[1] != theirs.shape[1]:
            averaged.append(key)
        if names[key] in used:
            copied.append(key)
        used[names[key]] = placed[key] = tensor
    report = _compare(backbone, own, placed, new)
    report.loaded, report.copied = [*used], copied
    report.averaged, report.inflated = averaged, inflated
    report.skipped = sorted(source.keys() - used.keys())
    report.unexpected = network.unexpected(backbone, own, report.skipped)
    return placed, report


def _fit_own(
    backbone: nn.Module,
    own: dict[str, Tensor],
    tensors: dict[str, Tensor],
    pretrained: bool,
) -> tuple[dict[str, Tensor], Report]:
    network, placed = backbone.image_network, dict(tensors)
    averaged = _repeat_stems(network.stems, own, placed) if pretrained else []
    resized = []
    if getattr(backbone, 'resize_segments', False):
        resized = resize_segments(placed, backbone.num_segments, own)
    new = []
    if network.temporal_is_optional:
        names = network.names(backbone, own)
        new = [key for key in compare(own, placed).missing if names[key] is None]
    report = _compare(backbone, own, placed, new)
    report.averaged, report.resized = averaged, resized
    report.skipped = report.unexpected
    report.unexpected = network.unexpected(backbone, own, report.skipped)
    if network.is_part(tensors):
        report.missing, report.unexpected = [], []
    return placed, report


def _compare(
    backbone: nn.Module, own: dict[str, Tensor], placed: dict[str, Tensor], new: list
) -> Report:
    expected = {key: value for key, value in own.items() if key not in new}
    report = compare(expected, placed)
    fixed = backbone.image_network.fixed(backbone, expected)
    report.mismatched = compare(fixed, placed).mismatched
    report.new = new
    return report


def _check_blocks(
    backbone: nn.Module, own: Mapping, tensors: Mapping, source: str
) -> None:
    network = backbone.image_network
    ours, theirs = (network.blocks(backbone, names) for names in (own, tensors))
    if theirs and theirs != ours:
        raise ValueError(
            f'{source} has {len(theirs)} residual blocks, this '
            f'{type(backbone).__name__} ({network.settings(backbone)}) has '
            f'{len(ours)}; set {network.size_keys} to that of the checkpoint'
        )


def _check(
    backbone: nn.Module, report: Report, source: str, must_be_image: bool
) -> None:
    """Raise a ValueError that says what to change if a checkpoint does not fit."""
    if not report.faults():
        return
    network = backbone.image_network
    hint = ''
    if must_be_image:
        hint = (
            f'. backbone.pretrained takes a {network.name}; a checkpoint of this '
            "backbone itself is loaded by backbone.init_cfg=dict(type='Pretrained', "
            'checkpoint=...)'
        )
    elif hasattr(backbone, 'resize_segments') and depends_on_segments(
        report.mismatched
    ):
        hint = (
            ', or resize a checkpoint for another number of frames by '
            'backbone.resize_segments=True or tools/convert_checkpoint.py '
            '--num-segments'
        )
    raise ValueError(
        f'{source} does not fit this {type(backbone).__name__} '
        f'({network.settings(backbone)}): {report.faults()}; set {network.keys} to '
        f'those of the checkpoint{hint}'
    )


def _repeat_stems(
    stems: Sequence[str], own: dict[str, Tensor], tensors: dict[str, Tensor]
) -> list[str]:
    """Average the kernels for colours in a backbone's own checkpoint, in place."""
    stems = [stem for stem in stems if stem in own]
    averaged = []
    for stem in stems:
        if stem in tensors:
            # The first takes one frame, that of differences several.
            frames = own[stem].size(1) // own[stems[0]].size(1)
            tensor = repeat_colours(tensors[stem], own[stem], frames)
            if tensor is not tensors[stem]:
                tensors[stem] = tensor
                averaged.append(stem)
    return averaged


def repeat_colours(tensor: Tensor, value: Tensor, frames: int = 1) -> Tensor:
    """Average the kernel of a stem over colours and repeat it for other channels.

    So does TSN for optical flow.

    Args:
        tensor: A tensor of a file, (c, frames * 3, ...).
        value: The tensor of the network, (c, frames * channels, ...).
        frames: Number of frames that the stem takes as channels.

    Returns:
        The kernel in the shape of ``value``; any other tensor as it is.
    """
    if (
        tensor.dim() < 4
        or tensor.dim() != value.dim()
        or tensor.size(1) != frames * _COLOURS
        or value.size(1) == tensor.size(1)
        or tensor[:, 0].shape != value[:, 0].shape
    ):
        return tensor
    mean = tensor.unflatten(1, (frames, _COLOURS)).mean(2)
    return mean.repeat_interleave(value.size(1) // frames, 1)
