"""Where temporal layers go in a network: the published points, and patterns."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Union

from torch import nn

from mmtemporal.checks import is_list
from mmtemporal.models.layers import TAdaConv2d, TAdaConv3d

from .tracing import Trace


@dataclass(frozen=True)
class Rule:
    """The published insertion points of temporal layers in a family of networks.

    The patterns are of the names that MMAction2, mmpretrain, torchvision and timm
    give to modules; a layer goes in front of these. The group ``block``, where there
    is one, is the residual block.

    Args:
        inside: In front of the spatial convolution of a block, behind the reduction
            or expansion: where TAM stands, and of TDN's long-term module.
        entry: In front of the first convolution of a block, on the residual branch:
            where TIN and TSM stand.
        residual_only: Whether blocks that change the shape, and so have no plain
            shortcut to carry the unmixed features on, are left alone.
        whole_stages: Whether every module beside a block is a block, too.
    """

    inside: str
    entry: str
    residual_only: bool = False
    whole_stages: bool = False

    def pattern(self, layer: type) -> str:
        """Return the pattern for a class of layers."""
        return self.entry if layer.at_block_entry else self.inside


def _make_resnet_rule(stages: str) -> Rule:
    # MMAction2's non-local blocks wrap a block under this name.
    block = rf'(?P<block>layer[{stages}]\.\d+)\.(?:block\.)?'
    return Rule(f'{block}conv2', f'{block}conv1', whole_stages=True)


_INVERTED_RESIDUAL = (
    r'(?P<block>(?:layer[2-7]\.\d+|features\.(?:[2-9]|\d\d)))\.conv\.{}'
    r'|(?P<block_>blocks\.[1-9]\.\d+)\.{}'
)
_SHUFFLE_UNIT = (
    r'(?P<block>stage[2-4]\.\d+)\.branch2\.{}'
    r'|(?P<block_>layers\.[0-2]\.\d+)\.branch2\.{}'
)
# The names of timm and MMAction2, of mmpretrain, of torchvision; those of TimeSformer.
_ATTENTION = (
    r'(?:.+\.)?(?:blocks|layers|features|stages|encoder)(?:\.\w+)*\.(?:norm1|ln1|ln_1)'
    r'|transformer_layers\.layers\.\d+'
)
_MOBILENET = Rule(
    _INVERTED_RESIDUAL.format(1, 'conv_dw'), _INVERTED_RESIDUAL.format(0, 'conv_pw')
)
_SHUFFLENET = Rule(_SHUFFLE_UNIT.format(3, 1), _SHUFFLE_UNIT.format(0, 0))

RULES = {
    # Also ResNeXt, and MMAction2's ResNet3d.
    'resnet': _make_resnet_rule('1-4'),
    # The stages that have TDN's long-term module.
    'tdn': _make_resnet_rule('2-4'),
    # Both pathways, each with its own number of frames; where the fast one has but
    # eight channels, there is no part of them to move.
    'slowfast': Rule(
        r'(?:slow|fast)_path\.layer[2-4]\.\d+\.conv2',
        r'(?:slow_path\.layer\d\.\d+|fast_path\.layer(?:1\.[1-9]|[2-4]\.\d+))\.conv1',
    ),
    'mobilenet_v2': _MOBILENET,
    'mobilenet_v2_residual': replace(_MOBILENET, residual_only=True),
    'shufflenet_v2': _SHUFFLENET,
    'shufflenet_v2_residual': replace(_SHUFFLENET, residual_only=True),
    'inception_v3': Rule(r'Mixed_\d\w', r'Mixed_\d\w'),
    # MMAction2's MobileOneTSM shifts here.
    'mobileone': Rule(r'stage[1-4]\.\d+', r'stage[1-4]\.\d+'),
    # On the residual branch of attention, or, in TimeSformer, before a whole layer.
    'transformer': Rule(_ATTENTION, _ATTENTION),
}


def _is_spatial(module: nn.Module) -> bool:
    """Whether it is a convolution that sees neighbouring pixels, and keeps the frames.

    Those that cut images or feature maps into patches do not, and those with a stride
    in time have no calibration for each frame.
    """
    if not isinstance(module, (nn.Conv2d, nn.Conv3d)):
        return False
    if isinstance(module, nn.Conv3d) and module.stride[0] != 1:
        return False
    sizes = zip(module.kernel_size[-2:], module.stride[-2:])
    return any(size > stride for size, stride in sizes)


def _is_temporal(module: nn.Module) -> bool:
    """Whether it is a convolution over time alone that keeps the number of frames."""
    return (
        isinstance(module, nn.Conv3d)
        and module.kernel_size[0] > 1
        and module.kernel_size[1:] == (1, 1)
        and module.stride[0] == 1
        and module.padding == (module.kernel_size[0] // 2, 0, 0)
    )


CONV_RULES = {'spatial_convs': _is_spatial, 'temporal_convs': _is_temporal}


def choose_conv(backbone: nn.Module) -> type:
    """Return which temporally-adaptive convolution can stand in a network."""
    convs = [module for module in backbone.modules() if _is_spatial(module)]
    in_time = sum(isinstance(module, nn.Conv3d) for module in convs)
    return TAdaConv3d if 2 * in_time > len(convs) else TAdaConv2d


def find_insertion_points(
    backbone: nn.Module,
    trace: Trace,
    where: Union[str, Sequence[str], None],
    layer: type,
) -> dict[str, str]:
    """Find the modules at which temporal layers go.

    Args:
        backbone: The network.
        trace: What :func:`~mmtemporal.models.adapter.tracing.trace_backbone` saw.
        where: Name of a rule, or pattern of module names, or several of these. None:
            the first rule of the layer that finds something.
        layer: Class of the first layer.

    Returns:
        The names of the modules, each with the rule or pattern that found it.

    Raises:
        ValueError: Nothing is found, or a pattern is none.
    """
    rules = [*RULES, *CONV_RULES]
    if where is None:
        for rule in layer.insertion_rules:
            names = _match(backbone, trace, rule, layer)
            if names and _covers(backbone, trace, rule, layer, names):
                return dict.fromkeys(names, rule)
        raise ValueError(
            f'no published insertion points of {layer.__name__} are known in a '
            f'{type(backbone).__name__}; set backbone.where to one of {rules}, or to a '
            f'pattern of the names of its modules, such as {_examples(backbone)}'
        )
    where = [where] if isinstance(where, str) else where
    if not is_list(where) or not where or not all(isinstance(w, str) for w in where):
        raise ValueError(
            f'backbone.where must be one of {rules}, a pattern of names of modules, or '
            f'a list of these, got {where!r}'
        )
    found = {}
    for item in where:
        names = _match(backbone, trace, item, layer)
        if not names:
            close = get_close_matches(item, [n for n, _ in backbone.named_modules()])
            raise ValueError(
                f'backbone.where={item!r} matches no module of the '
                f'{type(backbone).__name__}; it is one of {rules}, or a regular '
                'expression for whole names of modules, such as '
                f'{", ".join(close) or _examples(backbone)}'
            )
        found.update(dict.fromkeys(names, item))
    return found


def _match(backbone: nn.Module, trace: Trace, where: str, layer: type) -> list[str]:
    if where in CONV_RULES:
        fits = CONV_RULES[where]
        # Auxiliary classifiers never run here.
        return [
            name
            for name, module in backbone.named_modules()
            if fits(module)
            and trace.calls[name]
            and not trace.sees_images(name)
            and not _is_unused(backbone, name, trace)
        ]
    rule = RULES.get(where)
    pattern = rule.pattern(layer) if rule else where
    try:
        pattern = re.compile(pattern)
    except re.error as error:
        raise ValueError(f'backbone.where={where!r} is no pattern: {error}') from error
    names = [name for name, _ in backbone.named_modules()]
    matches = [match for match in map(pattern.fullmatch, names) if match]
    if rule is not None and rule.whole_stages:
        _check_stages(backbone, where, {_block(match) for match in matches})
    return [
        match[0]
        for match in matches
        if not (rule and rule.residual_only and _changes_shape(match, trace))
        and not (rule and _is_unused(backbone, match[0], trace))
    ]


def _is_unused(backbone: nn.Module, name: str, trace: Trace) -> bool:
    """Whether a module has parameters, and none of them has part in the features."""
    names = [f'{name}.{n}' for n, _ in backbone.get_submodule(name).named_parameters()]
    return bool(names) and set(names) <= set(trace.unused)


def _covers(
    backbone: nn.Module, trace: Trace, rule: str, layer: type, names: list[str]
) -> bool:
    """Whether the blocks of a rule have a third of a network's convolutions, or more.

    Networks of other families can have a few modules of the same names, such as the
    stem of an HRNet.
    """
    pattern = RULES[rule].pattern(layer) if rule in RULES else ''
    if 'P<block>' not in pattern:
        return True
    convs = [
        name
        for name, module in backbone.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Conv3d)) and trace.calls[name]
    ]
    blocks = tuple(f'{_block(re.fullmatch(pattern, name))}.' for name in names)
    inside = [name for name in convs if name.startswith(blocks)]
    return 3 * len(inside) >= len(convs)


def _check_stages(backbone: nn.Module, rule: str, blocks: set[str]) -> None:
    """Refuse to skip blocks of a stage without a word."""
    stages = {block.rpartition('.')[0] for block in blocks}
    children = [
        f'{s}.{c}' for s in sorted(stages) for c in backbone.get_submodule(s)._modules
    ]
    skipped = [name for name in children if name not in blocks]
    if skipped:
        raise ValueError(
            f'backbone.where={rule!r} has no insertion points in {len(skipped)} of '
            f'{len(children)} blocks of the {type(backbone).__name__}, such as '
            f'{skipped[0]}; set backbone.where to a pattern of names of modules'
        )


def _changes_shape(match: re.Match, trace: Trace) -> bool:
    return any(call.input != call.output for call in trace.calls[_block(match)])


def _block(match: re.Match) -> str:
    """Return the name of the residual block that a rule's pattern found."""
    return next(name for name in match.groupdict().values() if name)


def _examples(backbone: nn.Module) -> str:
    """Return some names of modules from the middle of a network."""
    names = [name for name, module in backbone.named_modules() if name]
    middle = len(names) // 2
    return ', '.join(names[middle : middle + 5])
