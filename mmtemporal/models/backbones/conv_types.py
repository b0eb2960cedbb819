"""Convolutions that a backbone of MMAction2 takes as its ``conv_cfg``.

A backbone makes all its convolutions of this type: the first on the image, those
of one pixel and those of shortcuts, too. These stay what they are.
"""

from typing import Any

from torch import nn
from torch.nn.modules.utils import _pair, _triple

from mmtemporal.models.layers import Conv2plus1d, TAdaConv2d, TAdaConv3d
from mmtemporal.registry import MODELS


@MODELS.register_module('TAdaConv2d')
def build_tada_conv2d(
    in_channels: int, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any
) -> nn.Conv2d:
    """Make a temporally-adaptive convolution, if it is one over feature maps.

    ::

        backbone=dict(
            type='ResNet',
            depth=50,
            conv_cfg=dict(type='mmtemporal.TAdaConv2d', num_segments=8),
        )

    Args:
        in_channels: Number of channels of the input. Images have at most three, or
            are what a kernel of seven or more pixels sees.
        out_channels: Number of channels of the output.
        kernel_size: Size of the kernel. One of a single pixel is not calibrated.
        *args: See :class:`~mmtemporal.models.layers.TAdaConv2d`.
        **kwargs: As well.
    """
    conv: type[nn.Conv2d] = TAdaConv2d
    sizes = _pair(kernel_size)
    if max(sizes) == 1 or _is_stem(in_channels, sizes, kwargs):
        kwargs = _without_calibration(kwargs)
        conv = nn.Conv2d
    return conv(in_channels, out_channels, kernel_size, *args, **kwargs)


@MODELS.register_module('TAdaConv3d')
def build_tada_conv3d(
    in_channels: int, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any
) -> nn.Conv3d:
    """Make a temporally-adaptive 3-D convolution, as :func:`build_tada_conv2d`.

    One over time alone is not calibrated; for these see
    :class:`~mmtemporal.models.backbones.TemporalAdapter`.
    """
    conv: type[nn.Conv3d] = TAdaConv3d
    sizes = _triple(kernel_size)[1:]
    if max(sizes) == 1 or _is_stem(in_channels, sizes, kwargs):
        kwargs = _without_calibration(kwargs)
        conv = nn.Conv3d
    return conv(in_channels, out_channels, kernel_size, *args, **kwargs)


def _is_stem(in_channels: int, sizes: tuple[int, ...], options: dict) -> bool:
    """Whether a convolution is over images, with whatever number of channels.

    A stack of flow fields has as many channels as a narrow feature map, but only
    stems have full kernels of seven pixels.
    """
    full = options.get('groups', 1) == 1
    return in_channels <= 3 or (full and max(sizes) >= 7)


def _without_calibration(options: dict) -> dict:
    names = ('num_segments', 'calibrate', 'calibrate_bias', 'routing')
    return {name: value for name, value in options.items() if name not in names}


@MODELS.register_module('Conv2plus1d')
def build_conv2plus1d(
    in_channels: int, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any
) -> nn.Module:
    """Make a convolution in two steps, if it is one over space and time.

    Args:
        in_channels: Number of channels of the input.
        out_channels: Number of channels of the output.
        kernel_size: Size of the kernel.
        *args: See :class:`~mmtemporal.models.layers.Conv2plus1d`.
        **kwargs: As well.
    """
    sizes = _triple(kernel_size)
    two_steps = sizes[0] > 1 and max(sizes[1:]) > 1
    conv = Conv2plus1d if two_steps else nn.Conv3d
    return conv(in_channels, out_channels, kernel_size, *args, **kwargs)
