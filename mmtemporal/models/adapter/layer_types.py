"""Which layers the config of an adapter names."""

from collections.abc import Sequence
from inspect import isclass
from pkgutil import resolve_name
from typing import Any, Union

from torch import nn

from mmtemporal.checks import is_list
from mmtemporal.models.layers import (
    TAM,
    TAM_VARIANTS,
    LongTermTDM,
    TAdaConv2d,
    TAdaConv3d,
    TemporalInterlace,
    TemporalLayer,
    TemporalShift,
    find_variant,
)
from mmtemporal.registry import MODELS

from .insertion_points import choose_conv

# Here, as the layers themselves are plain modules that know no registry.
for _layer in (*TAM_VARIANTS.values(), TemporalInterlace, LongTermTDM, TemporalShift):
    MODELS.register_module(module=_layer)

# Registered under these names is what MMAction2's ``conv_cfg`` takes, which leaves
# stems and shortcuts as they are.
_CONVS = {'TAdaConv2d': TAdaConv2d, 'TAdaConv3d': TAdaConv3d}


def find_layers(
    temporal: Union[dict, Sequence[dict]], backbone: nn.Module
) -> list[tuple[type, dict]]:
    """Return the classes and arguments of the layers that a config names.

    Args:
        temporal: Config of a layer, or of several. Its type is a class, the name of
            one in :data:`mmtemporal.registry.MODELS`, or a path to import it from.
        backbone: The network for which ``'TAdaConv'`` is chosen.

    Raises:
        ValueError: It names something else, or layers that do not go together.
    """
    configs = [temporal] if isinstance(temporal, dict) else temporal
    if not is_list(configs) or not all(isinstance(cfg, dict) for cfg in configs):
        raise ValueError(
            'backbone.temporal must be the config of a layer, or a list of them, got '
            f'{temporal!r}'
        )
    found = []
    for cfg in configs:
        options = {key: cfg[key] for key in cfg if key not in ('type', '_scope_')}
        layer = _find(cfg.get('type'), backbone)
        if layer is TAM and 'variant' in options:  # as TANet's tam_cfg has it
            layer, options = find_variant(options)
        found.append((layer, options))
    replacing = [layer.__name__ for layer, _ in found if layer.replaces]
    if len(found) != 1 and (not found or replacing):
        raise ValueError(
            f'backbone.temporal is a layer, or several of {_registered()}, none of '
            'which takes the place of a convolution; got '
            f'{[layer.__name__ for layer, _ in found]}'
        )
    return found


def _find(kind: object, backbone: nn.Module) -> type:
    layer: Any = kind
    reason = 'it is no nn.Module and mmtemporal.models.layers.TemporalLayer'
    if isinstance(kind, str):
        name = kind.removeprefix('mmtemporal.')
        if name == 'TAdaConv':
            return choose_conv(backbone)
        try:
            layer = _CONVS.get(name) or MODELS.get(kind) or resolve_name(kind)
        except Exception as error:  # whatever the file of a layer raises
            # mmengine raises another error in its place.
            reason = f'it cannot be imported: {error.__context__ or error}'
    if not _is_layer(layer):
        raise ValueError(
            f'backbone.temporal.type={kind!r} is none of '
            f'{[*_registered(), "TAdaConv", *_CONVS]}, and no layer of your own, as '
            f'{reason}'
        )
    return layer


def _registered() -> list[str]:
    return [name for name, value in MODELS.module_dict.items() if _is_layer(value)]


def _is_layer(value: object) -> bool:
    return (
        isclass(value)
        and issubclass(value, TemporalLayer)
        and issubclass(value, nn.Module)
    )
