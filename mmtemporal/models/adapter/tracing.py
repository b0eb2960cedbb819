"""The backbone that an adapter wraps: building it, running it and looking into it."""

from collections import defaultdict
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch.nn.modules.utils import _pair

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
        shape: Shape of the tensor.
        num_frames: Number of frames of a clip.
        num_channels: Number of channels.
    """

    layout: str
    shape: Shape
    num_frames: int
    num_channels: int


@dataclass(frozen=True)
class Trace:
    """What the modules of a network took and returned for one clip.

    Args:
        calls: The calls of each module, by its name, in order.
        input: The shape of what the network was given: the frames of the clip,
            (t, c, h, w), or the clip, (1, c, t, h, w).
        output: The shape of what the network returned, None for several tensors.
        tokens: Of a network that makes tokens of a clip, their layout and number of
            frames, else None.
        unused: Names of parameters that cannot get a gradient.
    """

    calls: dict[str, list[Call]]
    input: Shape
    output: Optional[Shape]
    tokens: Optional[tuple[str, int]]
    unused: list[str]

    @property
    def rows(self) -> Optional[int]:
        """The number of frames, if these were given; None, if the clip was."""
        return self.input[0] if len(self.input) == 4 else None

    @property
    def image(self) -> Shape:
        """Height and width of the frames."""
        return self.input[-2:]

    def sees_images(self, name: str) -> bool:
        """Whether a module is given the frames of the clip themselves."""
        channels = self.input[1]
        shapes = [call.input for call in self.calls[name]]
        return any(s and s[1] == channels and s[-2:] == self.image for s in shapes)

    def features_of(self, shape: Optional[Shape]) -> Optional[Features]:
        """Return where a tensor has its frames and channels, or None."""
        if shape is None:
            return None
        if len(shape) == 5 and shape[0] == 1:
            if self._channels_last(shape):
                return Features('NTHWC', shape, shape[1], shape[4])
            return Features('NCTHW', shape, shape[2], shape[1])
        if len(shape) == 4 and self.rows in (None, shape[0]):
            if self._channels_last(shape):
                return Features('NHWC', shape, shape[0], shape[3])
            return Features('NCHW', shape, shape[0], shape[1])
        if len(shape) == 3 and shape[0] == (self.rows or self.input[2]):
            return Features('NLC', shape, shape[0], shape[2])
        if len(shape) == 3 and self.tokens and shape[0] == 1:
            layout, frames = self.tokens
            # Class tokens may be in front, but hardly as many as frames.
            if shape[1] >= frames > shape[1] % frames:
                return Features(layout, shape, frames, shape[2])
        return None

    def _channels_last(self, shape: Shape) -> bool:
        """Whether the sizes before the last have the form of the image."""
        first, second, third = shape[-3:]
        return self._distortion(first, second) < self._distortion(second, third)

    def _distortion(self, height: int, width: int) -> float:
        # No equality: where sizes are halved, they are rounded.
        ratio = height * self.image[1] / (width * self.image[0])
        return max(ratio, 1 / ratio)


def build_backbone(cfg: dict) -> tuple[nn.Module, str]:
    """Build a backbone as MMAction2's recognizers build theirs.

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
    backbone = recognizer.backbone
    if recognizer.backbone_from == 'torchvision' and hasattr(backbone, 'heads'):
        backbone.heads = nn.Identity()  # a name of classifiers that it does not know
    return backbone, recognizer.backbone_from


def run_backbone(backbone: nn.Module, library: str, x: Tensor) -> Union[Tensor, tuple]:
    """Run a backbone as MMAction2's recognizers run it, up to the pooling."""
    if library == 'timm':
        return backbone.forward_features(x)
    if library == 'torchvision' and hasattr(backbone, 'features'):
        return backbone.features(x)
    x = backbone(x)
    if library in ('mmcls', 'mmpretrain') and isinstance(x, tuple) and len(x) == 1:
        return x[0]
    return x


def trace_backbone(
    backbone: nn.Module,
    library: str,
    num_segments: int,
    image_size: Union[int, Shape, None] = None,
) -> Trace:
    """Run a copy of a backbone on one clip, without memory, and note all shapes.

    Args:
        backbone: The backbone.
        library: Its library, see :func:`build_backbone`.
        num_segments: Number of frames of the clip.
        image_size: Height and width of the frames. None: those that the backbone
            names, else 224, else 112 pixels.

    Raises:
        ValueError: It takes neither the frames nor the clip.
    """
    channels = next((m.in_channels for m in backbone.modules() if _is_conv(m)), 3)
    in_time = any(isinstance(module, nn.Conv3d) for module in backbone.modules())
    errors = []
    for height, width in _image_sizes(backbone, image_size):
        frames = (num_segments, channels, height, width)
        clip = (1, channels, num_segments, height, width)
        for shape in (clip, frames) if in_time else (frames, clip):
            try:
                return _trace(backbone, library, shape)
            except Exception as error:  # whatever a network of others raises
                errors.append(f'{shape}: {" ".join(str(error).split())[:200]}')
    raise ValueError(
        f'backbone.backbone, a {type(backbone).__name__}, takes neither the frames nor '
        f'the clip that num_segments={num_segments} gives: {"; ".join(errors)}; set '
        'backbone.num_segments or backbone.image_size to what it is made for'
    )


def _trace(backbone: nn.Module, library: str, shape: Shape) -> Trace:
    copy = deepcopy(backbone).to('meta')
    copy.eval()  # MMAction2's ResNet returns nothing here
    calls: dict[str, list[Call]] = defaultdict(list)
    hooks = [
        module.register_forward_hook(_note(calls[name]))
        for name, module in copy.named_modules()
    ]
    with torch.enable_grad(), torch.device('meta'):
        output = run_backbone(copy, library, torch.empty(shape))
    for hook in hooks:  # what is checkpointed runs again in the backward pass
        hook.remove()
    unused = _without_gradient(copy, output)
    tokens = _find_tokens(backbone, calls, shape)
    return Trace(dict(calls), shape, _shape(output), tokens, unused)


def _without_gradient(backbone: nn.Module, output: Any) -> list[str]:
    """List the parameters that do not take part in what was computed."""
    torch.autograd.backward([x.sum() for x in _tensors(output) if x.requires_grad])
    named = backbone.named_parameters()
    return [name for name, p in named if p.requires_grad and p.grad is None]


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    else:
        for item in output:
            yield from _tensors(item)


def _find_tokens(
    backbone: nn.Module, calls: dict[str, list[Call]], shape: Shape
) -> Optional[tuple[str, int]]:
    """Tell how a network for clips lays out their tokens.

    Patches in space and time are cut by a 3-D convolution, whose positions follow each
    other frame by frame. A network that embeds single frames and then attends to a
    whole clip is TimeSformer, in which the frames of a position follow each other.
    """
    if len(shape) == 4:
        return None
    for name, module in backbone.named_modules():
        for call in calls[name] if _is_conv(module) else ():
            if call.input == shape:
                return 'NTLC', call.output[2]
            if call.input and call.input[0] == shape[2] and len(call.input) == 4:
                return 'NLTC', shape[2]
    return None


def _note(calls: list[Call]) -> Callable:
    def hook(_: nn.Module, args: tuple, output: object) -> None:
        calls.append(Call(_shape(args[0]) if args else None, _shape(output)))

    return hook


def _shape(value: object) -> Optional[Shape]:
    return tuple(value.shape) if isinstance(value, Tensor) else None


def _is_conv(module: nn.Module) -> bool:
    return isinstance(module, (nn.Conv2d, nn.Conv3d))


def _image_sizes(backbone: nn.Module, given: Union[int, Shape, None]) -> list[Shape]:
    """Return the sizes of images that a network may want, the likeliest first."""
    if given is not None:
        return [_pair(given)]
    for owner in (getattr(backbone, 'patch_embed', None), backbone):
        for name in ('img_size', 'image_size'):
            size = getattr(owner, name, None)
            if size is not None:
                return [_pair(size)]
    return [(224, 224), (112, 112)]
