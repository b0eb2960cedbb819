"""Putting temporal layers into a network that is already there."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from mmcv.cnn.bricks import wrappers
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmtemporal.config_types import type_name
from mmtemporal.models.layers import (
    TAM,
    LongTermTDM,
    OnFrames,
    SingleFrameConv3d,
    TAdaConv2d,
    TAdaConv3d,
    TemporalInterlace,
    TemporalShift,
)

from .tracing import Features, Trace

LAYERS = {
    'TAM': TAM,
    'TemporalInterlace': TemporalInterlace,
    'LongTermTDM': LongTermTDM,
    'TemporalShift': TemporalShift,
}
# The convolutions of mmcv differ from those of torch for ancient versions alone.
CONVS = {
    'TAdaConv2d': (TAdaConv2d, (nn.Conv2d, wrappers.Conv2d)),
    'TAdaConv3d': (TAdaConv3d, (nn.Conv3d, wrappers.Conv3d)),
}


def insert(
    host: nn.Module,
    name: str,
    position: str,
    temporal: Sequence[dict],
    trace: Trace,
) -> str:
    """Puts temporal layers before or behind a module, as a child of it.

    The module keeps its name and its class, and with them whatever loads, freezes or
    inspects it.

    Args:
        host: The network.
        name: Name of the module.
        position: 'before' or 'after'.
        temporal: Configs of the layers.
        trace: What :func:`~mmtemporal.models.adapter.tracing.trace_host` saw.

    Returns:
        A description of the place.

    Raises:
        ValueError: The features there are none of frames, or do not fit the layers.
    """
    module = host.get_submodule(name)
    # A child more would be one more step of a sequence.
    while len(module._modules) and type(module).forward is nn.Sequential.forward:
        children = list(module._modules)
        child = children[0 if position == 'before' else -1]
        module, name = module.get_submodule(child), f'{name}.{child}'
    if isinstance(module, _BatchNorm):
        # Whoever folds or synchronises them puts another module in their place.
        raise ValueError(
            f'{name} is a batch norm, which no temporal layer can be part of; set '
            'backbone.where to a module that has it, or to the one behind it'
        )
    if hasattr(module, 'temporal'):
        raise ValueError(
            f'{name} has a temporal layer already; change backbone.where, or give both '
            'layers as a list, backbone.temporal'
        )
    features = _features_at(name, position, trace)
    sizes = (features.num_channels, features.num_frames)
    layers = []
    for cfg in temporal:
        options = dict(cfg)
        options.pop('_scope_', None)
        kind = type_name(options.pop('type'))
        if kind == 'LongTermTDM' and features.layout in ('NLC', 'NTLC', 'NLTC'):
            raise ValueError(
                f'LongTermTDM convolves maps, but {name} sees tokens; set '
                'backbone.where to modules that see maps, or backbone.temporal to TAM, '
                'TemporalInterlace or TemporalShift'
            )
        try:
            layers.append(LAYERS[kind](*sizes, **options))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f'{kind} does not fit {name} with {sizes[0]} channels and {sizes[1]} '
                f'frames: {error}; its arguments are those of backbone.temporal'
            ) from error
    module.temporal = OnFrames(
        *layers, layout=features.layout, num_segments=features.num_frames
    )
    if position == 'before':
        module.register_forward_pre_hook(_run_before)
    else:
        module.register_forward_hook(_run_after)
    return f'{position} {name} ({sizes[0]} channels, {sizes[1]} frames)'


# Functions of the module, not closures: so copies and pickles of a network run the
# layers of their own.


def _run_before(module: nn.Module, args: tuple) -> tuple:
    return (module.temporal(args[0]), *args[1:])


def _run_after(module: nn.Module, _: tuple, output: Tensor) -> Tensor:
    return module.temporal(output)


def _features_at(name: str, position: str, trace: Trace) -> Features:
    """Returns what a layer at a module would see."""
    calls = trace.calls[name]
    if len(calls) != 1:
        raise ValueError(
            f'a temporal layer goes to one place, but {name} runs {len(calls)} times '
            'in a forward pass; change backbone.where'
        )
    shape = calls[0].input if position == 'before' else calls[0].output
    features = trace.features_of(shape)
    if features is None:
        raise ValueError(
            f'a temporal layer {position} {name} would see features of shape {shape}, '
            'in which the frames of a clip cannot be told; change backbone.where'
        )
    return features


def replace_conv(host: nn.Module, name: str, temporal: dict, trace: Trace) -> str:
    """Makes a convolution a temporally-adaptive one, which keeps its weights.

    Args:
        host: The network.
        name: Name of the convolution, or of a ConvModule with one.
        temporal: Config of the new one.
        trace: What :func:`~mmtemporal.models.adapter.tracing.trace_host` saw.

    Returns:
        A description of the place.

    Raises:
        ValueError: The module is none of the convolutions that the new one is for.
    """
    if isinstance(host.get_submodule(name), ConvModule):
        name = f'{name}.conv'
    old = host.get_submodule(name)
    options = dict(temporal)
    options.pop('_scope_', None)
    kind = type_name(options.pop('type'))
    adaptive, plain = CONVS[kind]
    if type(old) not in plain or old.padding_mode != 'zeros':
        raise ValueError(
            f'{kind} takes the place of an nn.{plain[0].__name__} padded with zeros, '
            f'but {name} is {old}; change backbone.where or backbone.temporal.type'
        )
    if adaptive is TAdaConv2d:
        options['num_segments'] = _features_at(name, 'before', trace).num_frames
    try:
        new = adaptive(
            old.in_channels,
            old.out_channels,
            old.kernel_size,
            old.stride,
            old.padding,
            old.dilation,
            old.groups,
            old.bias is not None,
            **options,
        )
    except (ValueError, TypeError) as error:
        raise ValueError(
            f'{kind} cannot take the place of {name}, {old}: {error}; its arguments '
            'are those of backbone.temporal'
        ) from error
    new.weight, new.bias = old.weight, old.bias
    _set(host, name, new)
    return f'{name} ({old.in_channels} to {old.out_channels} channels)'


def reduce_to_frames(host: nn.Module, name: str) -> str:
    """Takes the extent in time away from a convolution.

    Args:
        host: The network.
        name: Name of the convolution.

    Returns:
        The name of the module behind which another layer can mix the frames: the
        ConvModule that the convolution is in, with its norm and activation, or else
        the convolution.
    """
    _set(host, name, SingleFrameConv3d(host.get_submodule(name)))
    parent = name.rpartition('.')[0]
    return parent if isinstance(host.get_submodule(parent), ConvModule) else name


def _set(host: nn.Module, name: str, module: nn.Module) -> None:
    # nn.Module.set_submodule is newer than the oldest torch that we support.
    parent, _, child = name.rpartition('.')
    setattr(host.get_submodule(parent), child, module)
