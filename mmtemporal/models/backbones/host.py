"""Networks of other libraries as hosts: building, running and looking into them."""

from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass
from typing import Optional, Union

import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from torch import Tensor, nn

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """The shapes of what one call of a module took and returned.

    None stands for anything but a single tensor.
    """

    input: Optional[Shape]
    output: Optional[Shape]


@dataclass(frozen=True)
class Features:
    """Where a tensor has its frames and channels.

    Args:
        layout: See :class:`~mmtemporal.models.layers.OnFrames`.
        num_frames: Number of frames of a clip.
        num_channels: Number of channels.
    """

    layout: str
    num_frames: int
    num_channels: int


@dataclass(frozen=True)
class Trace:
    """What the modules of a network took and returned for one clip.

    Args:
        calls: The calls of each module, by its name, in order.
        output: The shape of what the network returned, None for several tensors.
        rows: The number of frames, if the network was given frames; None, if it was
            given the clip as one tensor.
        image: Height and width of its frames.
    """

    calls: dict[str, list[Call]]
    output: Optional[Shape]
    rows: Optional[int]
    image: Shape

    def features_of(self, shape: Optional[Shape]) -> Optional[Features]:
        """Tells frames and channels of a tensor, or None."""
        if shape is None:
            return None
        if len(shape) == 5 and shape[0] == 1:
            if self._channels_last(shape):
                return Features('NTHWC', shape[1], shape[4])
            return Features('NCTHW', shape[2], shape[1])
        if len(shape) == 4 and self.rows in (None, shape[0]):
            if self._channels_last(shape):
                return Features('NHWC', shape[0], shape[3])
            return Features('NCHW', shape[0], shape[1])
        if len(shape) == 3 and shape[0] == self.rows:
            return Features('NLC', shape[0], shape[2])
        return None

    def _channels_last(self, shape: Shape) -> bool:
        """Tells whether the sizes before the last have the form of the image."""
        first, second, third = shape[-3:]
        return self._distortion(first, second) < self._distortion(second, third)

    def _distortion(self, height: int, width: int) -> float:
        # No equality: where sizes are halved, they are rounded.
        ratio = height * self.image[1] / (width * self.image[0])
        return max(ratio, 1 / ratio)


def build_host(cfg: dict) -> tuple[nn.Module, str]:
    """Builds a backbone as MMAction2's recognizers build theirs.

    Args:
        cfg: Config of the backbone. A type without a scope is MMAction2's; those
            that begin with ``timm.``, ``torchvision.`` and ``mmpretrain.`` are
            of these libraries.

    Returns:
        The backbone, and the name of its library.

    Raises:
        ImportError: The library is missing.
        ValueError: It is no config.
    """
    if not isinstance(cfg, dict) or 'type' not in cfg:
        raise ValueError(
            "backbone.backbone must be the config of a backbone, dict(type='...', "
            f'...), got {cfg!r}'
        )
    # The recognizer knows the libraries and what their classifiers are called. It
    # takes the config apart.
    with DefaultScope.overwrite_default_scope('mmaction'):
        recognizer = MODELS.build(dict(type='Recognizer2D', backbone=deepcopy(cfg)))
    return recognizer.backbone, recognizer.backbone_from


def run_host(host: nn.Module, library: str, x: Tensor) -> Union[Tensor, tuple]:
    """Runs a backbone as MMAction2's recognizers run it, up to the pooling."""
    if library == 'timm':
        return host.forward_features(x)
    if library == 'torchvision' and hasattr(host, 'features'):
        return host.features(x)
    x = host(x)
    if library in ('mmcls', 'mmpretrain') and isinstance(x, tuple) and len(x) == 1:
        return x[0]
    return x


def trace_host(host: nn.Module, library: str, num_segments: int) -> Trace:
    """Runs a copy of a backbone on one clip, without memory, and notes all shapes.

    Args:
        host: The backbone.
        library: Its library, see :func:`build_host`.
        num_segments: Number of frames of the clip.

    Raises:
        ValueError: It takes neither the frames nor the clip.
    """
    height, width = _image_size(host)
    channels = next((m.in_channels for m in host.modules() if _is_conv(m)), 3)
    frames = (num_segments, channels, height, width)
    clip = (1, channels, num_segments, height, width)
    in_time = any(isinstance(module, nn.Conv3d) for module in host.modules())
    errors = []
    for shape in (clip, frames) if in_time else (frames, clip):
        copy = deepcopy(host).to('meta')
        copy.eval()  # MMAction2's ResNet returns nothing here
        calls = defaultdict(list)
        for name, module in copy.named_modules():
            module.register_forward_hook(_note(calls[name]))
        try:
            with torch.no_grad(), torch.device('meta'):
                output = run_host(copy, library, torch.empty(shape))
        except Exception as error:  # whatever a foreign network raises
            errors.append(f'{shape}: {error}')
        else:
            rows = num_segments if shape is frames else None
            return Trace(dict(calls), _shape(output), rows, (height, width))
    raise ValueError(
        f'backbone.backbone, a {type(host).__name__}, takes neither the frames nor the '
        f'clip that num_segments={num_segments} gives: {"; ".join(errors)}'
    )


def _note(calls: list):
    def hook(_, args: tuple, output) -> None:
        calls.append(Call(_shape(args[0]) if args else None, _shape(output)))

    return hook


def _shape(value) -> Optional[Shape]:
    return tuple(value.shape) if isinstance(value, Tensor) else None


def _is_conv(module: nn.Module) -> bool:
    return isinstance(module, (nn.Conv2d, nn.Conv3d))


def _image_size(host: nn.Module) -> tuple[int, int]:
    """Returns the size of the images that a network with fixed size wants."""
    for owner in (getattr(host, 'patch_embed', None), host):
        for name in ('img_size', 'image_size'):
            size = getattr(owner, name, None)
            if size is not None:
                return (size, size) if isinstance(size, int) else tuple(size)
    return 224, 224
