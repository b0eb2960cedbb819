"""What a temporal layer is, and what the rest of the package asks of one."""

from collections.abc import Iterator
from typing import Any, Callable, Optional

import torch
from torch import Tensor, nn

from mmtemporal.checks import check_integer
from mmtemporal.ops import (
    fill_band,
    frame_means,
    is_traced,
    split_clips,
    temporal_mix,
)

# Its loop over the kernel hides the sizes from torch.fx.
torch.fx.wrap('temporal_mix')

# Of layers that move channels in time. In networks of inverted residuals only blocks
# with a plain shortcut carry the features on that did not move.
SHIFT_RULES = (
    'resnet',
    'mobilenet_v2_residual',
    'shufflenet_v2_residual',
    'inception_v3',
    'mobileone',
    'slowfast',
    'transformer',
)


class TemporalLayer:
    """A mixin for modules that relate the frames of a clip.

    A layer is made as ``layer(in_channels, num_segments, **options)``. Adapter,
    figures, statistics, fusion and frame counts ask it in these words and never test
    its class. Each has a default, so that a layer says only what is special about it;
    ``docs/add_a_method.md`` has an example of each.

    Attributes:
        num_segments: Number T of frames of a clip. None: any.
        insertion_rules: Names of the rules of
            :class:`~mmtemporal.models.TemporalAdapter` that are tried, in this order,
            where a config has no ``where``.
        at_block_entry: Whether the layer stands in front of the first convolution of
            a residual block, and not of its spatial one.
        replaces: The class of the convolutions whose place the layer takes, and with
            whose arguments it is made, and ``num_segments`` in 2-D. None: it is put
            before or behind a module.
        records: Names of the tensors that it hands to :meth:`record`. Figures and
            statistics know the names, see
            :func:`mmtemporal.visualization.recording.record`.
        calibration_centre: The middle of the calibrations that it records: 1 is the
            plain kernel.
        checkpoint_forward: Whether the adapter applies activation checkpointing to
            the layer: where its inner feature maps are many and cheap.
        new_modules: Names of the modules in it that an image network does not have;
            '' is the layer as a whole.

    Shape:
        - input: (n * t, c, h, w), the frames of a clip being consecutive rows
        - output: (n * t, c, h, w), same dtype and device; of a convolution its own
    """

    num_segments: Optional[int] = None
    insertion_rules: tuple[str, ...] = (
        'resnet',
        'mobilenet_v2',
        'shufflenet_v2',
        'inception_v3',
        'mobileone',
        'slowfast',
        'transformer',
    )
    at_block_entry: bool = False
    replaces: Optional[type] = None
    records: tuple[str, ...] = ()
    calibration_centre: float = 1.0
    checkpoint_forward: bool = False
    new_modules: tuple[str, ...] = ('',)

    recorder: Optional[Callable[[str, Tensor], None]] = None

    def init_identity(self) -> None:
        """Set the weights with which a new layer changes nothing, if there are such.

        A layer calls it in its constructor. Networks call it again, after general rules
        of initialisation.
        """

    def record(self, **tensors: Tensor) -> None:
        """Hand tensors to whoever looks at the layer; usually nobody does.

        Args:
            **tensors: By the names in ``records``.
        """
        if self.recorder is not None and not is_traced():
            for name, tensor in tensors.items():
                self.recorder(name, tensor)

    def fold(self: Any, norm: Optional[nn.Module] = None) -> nn.Module:
        """Return a module that computes the same in eval mode, with less work.

        Args:
            norm: The batch norm behind the layer, if that is the convolution of a
                ``ConvModule``. It becomes part of what is returned.
        """
        return self if norm is None else nn.Sequential(self, norm)


class MixingLayer(TemporalLayer, nn.Module):
    r"""A layer that replaces every frame by a weighted sum of the frames around it.

    .. math::
        y[n, t, c] = \sum_s A[n, c, t, s]\; x[n, s, c]

    A subclass computes the weights; all of them are applied by the same operation,
    :func:`mmtemporal.ops.temporal_mix`.

    Args:
        num_segments: Number T of frames of a clip.

    Attributes:
        num_mixed: Number of channels that are mixed, the first ones. None: all.

    Shape:
        - input: (n * t, c, h, w), the frames of a clip being consecutive rows
        - output: (n * t, c, h, w), same dtype, device and memory format

    Raises:
        ValueError: The number of frames is no multiple of ``num_segments``.
    """

    num_segments: int
    records: tuple[str, ...] = ('matrix',)
    num_mixed: Optional[int] = None

    def __init__(self, num_segments: int) -> None:
        super().__init__()
        check_integer('num_segments', num_segments)
        self.num_segments = num_segments

    def mixing_weights(self, x: Tensor) -> Tensor:
        """Return the weights with which the frames are mixed.

        Shape:
            - x: (n * t, c, h, w)
            - output: (n or 1, k, t or 1, g), as ``temporal_mix`` takes them
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        weights = self.mixing_weights(x)
        if self.recorder is not None:
            self.record(matrix=fill_band(weights, self.num_segments))
        return temporal_mix(x, self.num_segments, weights, self.num_mixed)


def clip_means(
    x: Tensor,
    num_segments: int,
    dtype: torch.dtype,
    num_channels: Optional[int] = None,
) -> Tensor:
    """Average each frame over space: what layers know of a clip.

    Shape:
        - x: (n * t, c, h, w)
        - output: (n, num_channels, t), by default of all channels, of ``dtype``
    """
    means = frame_means(x, dtype, num_channels)
    return split_clips(means, num_segments).transpose(1, 2)


def temporal_layers(network: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield the temporal layers of a network with their names."""
    for name, module in network.named_modules():
        if isinstance(module, TemporalLayer):
            yield name, module


def new_modules(network: nn.Module) -> dict[str, nn.Module]:
    """Return what the temporal layers of a network add to an image network.

    Returns:
        Modules by name, none of which is inside another.
    """
    found: dict[str, nn.Module] = {}
    for name, layer in temporal_layers(network):
        for part in layer.new_modules:
            path = '.'.join(filter(None, (name, part)))
            if not any(path.startswith(f'{outer}.') or not outer for outer in found):
                found[path] = layer.get_submodule(part)
    return found
