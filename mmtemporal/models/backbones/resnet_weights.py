"""Weights for the networks on a ResNet: what files call them, and what is refused."""

import logging
import re
from collections.abc import Iterable
from typing import NamedTuple, Optional

from mmengine.logging import print_log
from torch import Tensor, nn

from mmtemporal.checkpoints.compare import Differences, compare
from mmtemporal.checkpoints.convert import find_tensors

from .checkpoint_report import read_pretrained, repeat_colours, summarise
from .recognizer_checkpoint import (
    check_names,
    is_recognizer,
    keep_backbone,
    load_recognizer,
)

_STEM = 'conv1.conv.weight'
_BLOCK = re.compile(r'layer(\d)\.\d+\.')
_OURS = re.compile(r'(layer\d\.\d+\.)?(conv(\d)|downsample)\.(conv|bn)(\.\w+)')
_TORCHVISION = re.compile(
    r'(layer\d\.\d+\.)?((conv|bn)\d|downsample\.[01])\.\w+|fc\.\w+'
)


def torchvision_name(name: str) -> Optional[str]:
    """Return torchvision's name of a tensor of MMAction2's ResNet, else None."""
    match = _OURS.fullmatch(name)
    if match is None:
        return None
    block, _, number, part, rest = match.groups(default='')
    if number:
        return f'{block}{part}{number}{rest}'
    return f'{block}downsample.{0 if part == "conv" else 1}{rest}'


def as_torchvision(tensors: dict[str, Tensor]) -> Optional[dict[str, Tensor]]:
    """Return the tensors of a ResNet by torchvision's names.

    Args:
        tensors: Those of a backbone of MMAction2, also a TSM, whose shifts have no
            tensors and are called ``net``; or of torchvision, timm or mmpretrain.

    Returns:
        The tensors, or None if one is of another network.
    """
    renamed = {}
    for name, tensor in tensors.items():
        new = torchvision_name(name.replace('.net.', '.'))
        if new is None and _TORCHVISION.fullmatch(name):
            new = name
        renamed[new] = tensor
    return (
        renamed if None not in renamed and 'layer1.0.conv1.weight' in renamed else None
    )


class ResNetFit(NamedTuple):
    """How a ResNet fits a backbone on a ResNet.

    Attributes:
        tensors: The tensors of the file by the names of the backbone.
        loaded: Number of tensors of the file among them.
        copied: Names of ours that a tensor was used for once more.
        averaged: Names of ours that are averaged over colours.
        skipped: Names of the file that the backbone does not have.
        new: Names of ours that no ResNet has.
        differences: What keeps the ResNet from fitting.
    """

    tensors: dict[str, Tensor]
    loaded: int
    copied: list[str]
    averaged: list[str]
    skipped: list[str]
    new: list[str]
    differences: Differences

    def __str__(self) -> str:
        averaged = (
            f'averaged over colours {summarise(self.averaged)}, '
            if self.averaged
            else ''
        )
        return (
            f'loaded {self.loaded} tensors, copied {summarise(self.copied)}, '
            f'{averaged}skipped {summarise(self.skipped)}, newly initialised '
            f'{summarise(self.new)}'
        )


def fit_resnet(backbone: nn.Module, source: dict[str, Tensor]) -> ResNetFit:
    """Place the tensors of a ResNet in a backbone, without loading them.

    Args:
        backbone: The backbone.
        source: Tensors by torchvision's names. A stem for colours is averaged and
            repeated where the backbone sees other channels.
    """
    own = backbone.state_dict()
    tensors, copied, averaged, new, used = {}, [], [], [], set()
    for key, value in own.items():
        name = backbone._torchvision_name(key)
        if name is None:
            new.append(key)
        if name not in source:
            continue
        tensors[key] = repeat_colours(backbone._adapt(key, source[name]), value)
        if tensors[key].shape != source[name].shape:
            averaged.append(key)
        if name in used:
            copied.append(key)
        used.add(name)
    skipped = sorted(source.keys() - used)
    differences = compare({k: own[k] for k in own if k not in new}, tensors)
    known = tuple(f'layer{i}.' for i in range(backbone.num_stages + 1, 5)) + ('fc.',)
    unexpected = [name for name in skipped if not name.startswith(known)]
    differences = differences._replace(unexpected=unexpected)
    return ResNetFit(tensors, len(used), copied, averaged, skipped, new, differences)


def load_pretrained(backbone: nn.Module) -> None:
    """Load the file that ``backbone.pretrained`` names and log what was done.

    Raises:
        ValueError: The file cannot be read, or is of another network.
    """
    path = backbone.pretrained
    tensors = find_tensors(read_pretrained(path))
    is_ours = _STEM in tensors and as_torchvision(tensors) is not None
    if is_recognizer(tensors) or is_ours or not backbone.torchvision_pretrain:
        load_recognizer(backbone, tensors)
        return
    fit = fit_resnet(backbone, tensors)
    missing, unexpected, mismatched = fit.differences
    if missing or unexpected or mismatched:
        raise ValueError(
            f'{path} is no ResNet-{backbone.depth} in torchvision layout: '
            f'{summarise(missing)} missing, {summarise(mismatched)} of another '
            f'shape, {summarise(unexpected)} unknown; set backbone.pretrained to '
            f'a ResNet-{backbone.depth}, or backbone.depth to the depth of the file, '
            'or backbone.torchvision_pretrain=False for a file of this backbone'
        )
    for key, value in backbone.state_dict(keep_vars=True).items():
        if key in fit.tensors:
            value.data.copy_(fit.tensors[key])
    print_log(f'{path}: {fit}', logger='current')


def prepare_checkpoint(backbone: nn.Module, state_dict: dict, prefix: str) -> None:
    """Make a checkpoint fit a backbone, in place, or refuse it.

    mmengine loads checkpoints loosely and would only log the difference. Those of a
    whole recognizer are reduced to its backbone, if this is what is being loaded; a
    ResNet without temporal layers gets the names of ours.

    Args:
        backbone: The network that the checkpoint is being loaded into.
        state_dict: The tensors of the checkpoint.
        prefix: What comes before the names of those of the backbone.

    Raises:
        ValueError: The checkpoint is of another network.
    """
    whole = not prefix and is_recognizer(state_dict)
    if whole:
        keep_backbone(state_dict)
    theirs = {
        name[len(prefix) :]: tensor
        for name, tensor in state_dict.items()
        if name.startswith(prefix)
    }
    own = backbone.state_dict()
    source = as_torchvision(theirs)
    if source is not None and own.keys() != theirs.keys():
        for name in theirs:
            del state_dict[prefix + name]
        for name, tensor in _take_resnet(backbone, source).items():
            state_dict[prefix + name] = tensor
        return
    if whole or prefix:
        check_names(backbone, theirs)
    _check_own(backbone, own, theirs)


def _take_resnet(backbone: nn.Module, source: dict) -> dict[str, Tensor]:
    fit = fit_resnet(backbone, source)
    # As of an image network, stages that the backbone does not have are skipped.
    stages = _blocks(source)
    _check_blocks(backbone, {k for k in stages if stages[k] <= backbone.num_stages})
    missing, unexpected, mismatched = fit.differences
    if missing or unexpected or mismatched:
        raise ValueError(
            f'the checkpoint is of a ResNet that does not fit this '
            f'{type(backbone).__name__} (depth={backbone.depth}): '
            f'{summarise(missing)} missing, {summarise(unexpected)} unexpected, '
            f'{summarise(mismatched)} mismatched; set backbone.depth and '
            'backbone.in_channels to those of the checkpoint'
        )
    if fit.new or fit.averaged:
        _report(backbone, fit)
    return fit.tensors


def _report(backbone: nn.Module, fit: ResNetFit) -> None:
    report = f'the checkpoint is of a ResNet: {fit}'
    if backbone.is_init:  # as it is before training, but not before a test
        print_log(report, logger='current')
        return
    report += f'; for a test give the checkpoint of a trained {type(backbone).__name__}'
    print_log(report, logger='current', level=logging.WARNING)


def _check_own(backbone: nn.Module, own: dict, theirs: dict) -> None:
    blocks = _blocks(theirs)
    if blocks:
        _check_blocks(backbone, blocks.keys())
    missing, unexpected, mismatched = compare(own, theirs)
    if mismatched:
        raise ValueError(
            f'the checkpoint has tensors of other shapes: {summarise(mismatched)}; '
            f'set backbone.depth={backbone.depth} and backbone.num_segments='
            f'{backbone.num_segments} to those of the checkpoint'
        )
    missing = [name for name in missing if backbone._torchvision_name(name)]
    unexpected = [name for name in unexpected if not name.startswith('fc.')]
    if blocks and (missing or unexpected):
        raise ValueError(
            f'the checkpoint is not of a {type(backbone).__name__} with these '
            f'arguments: {summarise(missing)} missing, {summarise(unexpected)} '
            'unexpected; set backbone.type and its arguments to those of the '
            'checkpoint, or give one of this network, or of a ResNet, TSN or TSM '
            'without other temporal layers'
        )


def _check_blocks(backbone: nn.Module, theirs: set[str]) -> None:
    ours = _blocks(backbone.state_dict())
    if theirs != ours.keys():
        raise ValueError(
            f'the checkpoint has {len(theirs)} residual blocks, this backbone '
            f'(depth={backbone.depth}) has {len(ours)}; set backbone.depth and '
            'backbone.num_stages to those of the checkpoint'
        )


def _blocks(names: Iterable[str]) -> dict[str, int]:
    """Return the number of its stage for each residual block."""
    matches = filter(None, map(_BLOCK.match, names))
    return {match[0]: int(match[1]) for match in matches}
