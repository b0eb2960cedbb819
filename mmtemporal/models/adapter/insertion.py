"""Putting temporal layers into a network that is already there."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from mmcv.cnn import ConvModule
from mmcv.cnn.bricks import wrappers
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmtemporal.models.layers import OnFrames, SingleFrameConv3d

from .tracing import Features, Trace

# The convolutions of mmcv differ from those of torch for ancient versions alone.
_TORCH_CONVS = {wrappers.Conv2d: nn.Conv2d, wrappers.Conv3d: nn.Conv3d}


def insert(
    backbone: nn.Module,
    name: str,
    position: str,
    temporal: Sequence[tuple[type, dict]],
    trace: Trace,
) -> str:
    """Put temporal layers before or behind a module, as a child of it.

    The module keeps its name and its class, and with them whatever loads, freezes or
    inspects it.

    Args:
        backbone: The network.
        name: Name of the module.
        position: 'before' or 'after'.
        temporal: Classes of the layers, and their arguments.
        trace: What :func:`~mmtemporal.models.adapter.tracing.trace_backbone` saw.

    Returns:
        A description of the insertion point.

    Raises:
        ValueError: The features there are none of frames, or do not fit the layers.
    """
    module = backbone.get_submodule(name)
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
    module.temporal = _make_layers(name, temporal, features)
    if position == 'before':
        module.register_forward_pre_hook(_run_before)
    else:
        module.register_forward_hook(_run_after)
    return (
        f'{position} {name} ({features.num_channels} channels, '
        f'{features.num_frames} frames)'
    )


def _make_layers(
    name: str, temporal: Sequence[tuple[type, dict]], features: Features
) -> OnFrames:
    """Make layers for the features at a module, and try them on such."""
    sizes = (features.num_channels, features.num_frames)
    made = []
    for layer, options in temporal:
        try:
            made.append(layer(*sizes, **options))
        except Exception as error:  # whatever a layer of a user raises
            raise ValueError(
                f'{layer.__name__} does not fit {name} with {sizes[0]} channels and '
                f'{sizes[1]} frames: {_describe(error)}; its arguments are those of '
                'backbone.temporal'
            ) from error
        layers = OnFrames(*made, layout=features.layout, num_segments=sizes[1])
        _try(layer, layers, name, features)
    return layers


def _try(layer: type, layers: OnFrames, name: str, features: Features) -> None:
    """Raise a ValueError if layers cannot run on features, or change their shape."""
    try:
        y = deepcopy(layers).to('meta')(torch.empty(features.shape, device='meta'))
    except Exception as error:  # whatever a layer of a user raises
        tokens = features.layout in ('NLC', 'NTLC', 'NLTC')
        if tokens and isinstance(error, (ValueError, RuntimeError)):
            raise ValueError(
                f'{layer.__name__} convolves feature maps, but {name} sees tokens '
                f'({error}); set backbone.where to modules that see feature maps, or '
                'backbone.temporal to a layer that mixes frames alone, such as TAM'
            ) from error
        raise ValueError(
            f'{layer.__name__} cannot run at {name} on features of shape '
            f'{features.shape}: {_describe(error)}; change backbone.where or '
            'backbone.temporal'
        ) from error
    shape = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
    if shape != features.shape:
        raise ValueError(
            f'{layer.__name__} makes {shape} of the features of shape '
            f'{features.shape} at {name}; expected a layer that keeps the shape; '
            'change backbone.temporal'
        )


def _describe(error: Exception) -> str:
    """Return the text of an error, which some do not have, or not without the type."""
    if isinstance(error, (ValueError, TypeError)):
        return str(error)
    return f'{type(error).__name__} {error}'.rstrip()


# Functions of the module, not closures: so copies and pickles of a network run the
# layers of their own.


def _run_before(module: nn.Module, args: tuple) -> tuple:
    return (module.temporal(args[0]), *args[1:])


def _run_after(module: nn.Module, _: tuple, output: Tensor) -> Tensor:
    return module.temporal(output)


def _features_at(name: str, position: str, trace: Trace) -> Features:
    """Return what a layer at a module would see."""
    calls = trace.calls[name]
    if len(calls) != 1:
        raise ValueError(
            f'a temporal layer stands at one point, but {name} runs {len(calls)} '
            'times in a forward pass; change backbone.where'
        )
    shape = calls[0].input if position == 'before' else calls[0].output
    features = trace.features_of(shape)
    if features is None:
        raise ValueError(
            f'a temporal layer {position} {name} would see features of shape {shape}, '
            'in which the frames of a clip cannot be told; change backbone.where'
        )
    return features


def replace_conv(
    backbone: nn.Module, name: str, layer: type, options: dict, trace: Trace
) -> str:
    """Put a layer in the place of a convolution, whose weights it keeps.

    Args:
        backbone: The network.
        name: Name of the convolution, or of a ConvModule with one.
        layer: Class of the layer.
        options: Its arguments beside those of the convolution.
        trace: What :func:`~mmtemporal.models.adapter.tracing.trace_backbone` saw.

    Returns:
        A description of the insertion point.

    Raises:
        ValueError: The module is none of the convolutions that the new one is for, or
            the layer does not say what is new in it.
    """
    if isinstance(backbone.get_submodule(name), ConvModule):
        name = f'{name}.conv'
    old = backbone.get_submodule(name)
    if _TORCH_CONVS.get(type(old), type(old)) is not layer.replaces or (
        old.padding_mode != 'zeros'
    ):
        raise ValueError(
            f'{layer.__name__} takes the place of an nn.{layer.replaces.__name__} '
            f'padded with zeros, but {name} is {old}; change backbone.where or '
            'backbone.temporal.type'
        )
    if layer.replaces is nn.Conv2d:
        frames = _features_at(name, 'before', trace).num_frames
        options = {**options, 'num_segments': frames}
    try:
        new = layer(
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
            f'{layer.__name__} cannot take the place of {name}, {old}: {error}; its '
            'arguments are those of backbone.temporal'
        ) from error
    if '' in new.new_modules:
        # The kernel would count as new, and what a file holds of it would be undone.
        raise ValueError(
            f'{layer.__name__} takes the place of convolutions and keeps their '
            'weights, but its new_modules is that of a layer which is new as a whole; '
            'name in it the children that a convolution does not have'
        )
    new.weight, new.bias = old.weight, old.bias
    _set(backbone, name, new)
    return f'{name} ({old.in_channels} to {old.out_channels} channels)'


def reduce_to_frames(backbone: nn.Module, name: str) -> str:
    """Take the extent in time away from a convolution.

    Args:
        backbone: The network.
        name: Name of the convolution.

    Returns:
        The name of the module behind which another layer can mix the frames: the
        ConvModule that the convolution is in, with its norm and activation, or else
        the convolution.
    """
    _set(backbone, name, SingleFrameConv3d(backbone.get_submodule(name)))
    parent = name.rpartition('.')[0]
    return parent if isinstance(backbone.get_submodule(parent), ConvModule) else name


def _set(backbone: nn.Module, name: str, module: nn.Module) -> None:
    # nn.Module.set_submodule is newer than the oldest torch that we support.
    parent, _, child = name.rpartition('.')
    setattr(backbone.get_submodule(parent), child, module)
