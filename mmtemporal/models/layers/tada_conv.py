"""Temporally-adaptive convolutions.

Papers: TAda! Temporally-Adaptive Convolutions for Video Understanding (ICLR
2022), https://arxiv.org/abs/2110.06178; Temporally-Adaptive Models for
Efficient Video Understanding, https://arxiv.org/abs/2308.05787
"""

from typing import Optional, Union

import torch.nn.functional as F
from torch import Tensor, nn

from mmtemporal.checks import check_integer
from mmtemporal.ops import frame_means
from mmtemporal.ops.tracing import is_symbolic

from .calibration import compute_calibration, make_routing, scale
from .temporal_layer import TemporalLayer

_Size2d = Union[int, tuple[int, int]]
_Size3d = Union[int, tuple[int, int, int]]


class TAdaConv2d(TemporalLayer, nn.Conv2d):
    r"""A 2-D convolution whose kernel is calibrated for every frame.

    A routing function looks at the means of all frames of the clip and returns
    a calibration vector :math:`\alpha_t` for each. The kernel of frame t is the
    shared kernel, its input channels (``'cin'``) or output channels
    (``'cout'``) multiplied by that vector. A convolution is linear in both, so
    no kernel is ever made for a frame: the frame itself is multiplied instead,

    .. math::
        y_t = W * (\alpha_t \odot x_t) \quad\text{(cin)}, \qquad
        y_t = \alpha_t \odot (W * x_t) + \beta_t \odot b \quad\text{(cout)},

    which is exact, and costs one ordinary convolution of all frames. A new
    layer has :math:`\alpha = \beta = 1`: it is the plain convolution, so it can
    load the weights of one.

    It is called like ``nn.Conv2d``, whose ``weight`` and ``bias`` it has, and
    takes the place of one in any network that sees whole clips::

        from mmtemporal.models.layers import TAdaConv2d

        old = network.layer1.conv
        new = TAdaConv2d(64, 64, 3, padding=1, bias=False, num_segments=8)
        new.load_state_dict(old.state_dict(), strict=False)
        network.layer1.conv = new     # on (n * 8, 64, h, w) or (n, 64, t, h, w)

    Args:
        in_channels: Number of channels of the input.
        out_channels: Number of channels of the output.
        kernel_size: Size of the kernel in space.
        stride: Stride in space.
        padding: Zeros around the feature maps, or 'same' or 'valid'.
        dilation: Spacing of the kernel.
        groups: Number of groups of channels.
        bias: Whether there is a bias.
        num_segments: Number T of frames of a clip. Only needed for 4-D inputs.
        calibrate: What is multiplied, 'cin' or 'cout'.
        calibrate_bias: Whether the bias has a calibration of its own (beta).
        routing: The routing function and its arguments: ``dict(type='conv',
            ...)``, see :class:`ConvRouting`, the default, or
            ``dict(type='attention', ...)``, see :class:`AttentionRouting`. The type
            may be the class.

    Shape:
        - input: (n * t, in_channels, h, w), the frames of a clip being
          consecutive rows; or (n, in_channels, t, h, w), with any t
        - output: the same with ``out_channels`` and the size of a convolution

    Raises:
        ValueError: An argument does not fit, or the number of frames is no
            multiple of ``num_segments``.
    """

    replaces = nn.Conv2d
    insertion_rules = ('spatial_convs',)
    records = ('calibration',)
    new_modules = ('routing',)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Size2d,
        stride: _Size2d = 1,
        padding: _Size2d = 0,
        dilation: _Size2d = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        num_segments: Optional[int] = None,
        calibrate: str = 'cin',
        calibrate_bias: bool = False,
        routing: Optional[dict] = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
        )
        if num_segments is not None:
            check_integer('num_segments', num_segments)
        self.num_segments = num_segments
        self.calibrate = calibrate
        self.routing = make_routing(self, calibrate_bias, routing)

    def init_weights(self) -> None:
        """Draw the routing function again; the kernel is left as it is."""
        self.routing.init_weights()

    def init_identity(self) -> None:
        self.routing.init_identity()

    def forward(self, x: Tensor) -> Tensor:
        if is_symbolic(x):
            return self._convolve(x, self.num_segments)  # type: ignore[arg-type]
        if x.dim() == 5:
            # (n, c, t, h, w) -> (n * t, c, h, w), and back
            t = x.size(2)
            y = self._convolve(x.transpose(1, 2).flatten(0, 1), t)
            return y.unflatten(0, (-1, t)).transpose(1, 2)
        if x.dim() != 4 or not self.num_segments or x.size(0) % self.num_segments:
            raise ValueError(
                f'TAdaConv2d expects frames (n * t, c, h, w) with t = num_segments = '
                f'{self.num_segments}, or clips (n, c, t, h, w); got shape '
                f'{tuple(x.shape)}'
            )
        return self._convolve(x, self.num_segments)  # type: ignore[arg-type]

    def _convolve(self, x: Tensor, t: int) -> Tensor:
        means = frame_means(x, self.routing.b.weight.dtype).unflatten(0, (-1, t))
        alpha, bias = compute_calibration(self, means)
        # (n, t, c) -> (n * t, c, 1, 1)
        alpha = alpha.flatten(0, 1)[..., None, None]
        if self.calibrate == 'cin':
            y = self._conv_forward(scale(x, alpha), self.weight, None)
        else:
            y = scale(self._conv_forward(x, self.weight, None), alpha)
        if bias is None:
            return y
        return y + bias.flatten(0, 1)[..., None, None].to(y.dtype)


class TAdaConv3d(TemporalLayer, nn.Conv3d):
    r"""A 3-D convolution whose kernel is calibrated for every output frame.

    As :class:`TAdaConv2d`, for kernels that see several frames, such as those
    of R3D or the temporal ones of R(2+1)D. All frames that an output frame is
    made of are multiplied by the calibration of that output frame:

    .. math::
        y_t = \sum_d W_d * (\alpha_t \odot x_{t+d}) \quad\text{(cin)}, \qquad
        y_t = \alpha_t \odot \sum_d W_d * x_{t+d} \quad\text{(cout)}

    ``'cin'`` therefore is no convolution of multiplied frames, and costs as
    many products as the kernel has frames.

    Args:
        in_channels: Number of channels of the input.
        out_channels: Number of channels of the output.
        kernel_size: Size of the kernel in time, odd, and space.
        stride: Stride, one in time.
        padding: Zeros around the clip, in time half the kernel.
        dilation: Spacing of the kernel, one in time.
        groups: Number of groups of channels.
        bias: Whether there is a bias.
        calibrate: What is multiplied, 'cin' or 'cout'.
        calibrate_bias: Whether the bias has a calibration of its own.
        routing: See :class:`TAdaConv2d`.

    Shape:
        - input: (n, in_channels, t, h, w)
        - output: (n, out_channels, t, h', w')

    Raises:
        ValueError: An argument does not fit.
    """

    replaces = nn.Conv3d
    insertion_rules = ('spatial_convs',)
    records = ('calibration',)
    new_modules = ('routing',)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Size3d,
        stride: _Size3d = 1,
        padding: _Size3d = 0,
        dilation: _Size3d = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        calibrate: str = 'cin',
        calibrate_bias: bool = False,
        routing: Optional[dict] = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
        )
        size = self.kernel_size[0]
        in_time = (self.stride[0], self.dilation[0], self.padding[0])
        if size % 2 == 0 or in_time != (1, 1, size // 2):
            raise ValueError(
                'TAdaConv3d keeps the number of frames: in time it needs an odd '
                'kernel_size, stride 1, dilation 1 and padding kernel_size // 2, got '
                f'kernel_size={self.kernel_size}, stride={self.stride}, dilation='
                f'{self.dilation}, padding={self.padding}'
            )
        self.calibrate = calibrate
        self.routing = make_routing(self, calibrate_bias, routing)

    def init_weights(self) -> None:
        """Draw the routing function again; the kernel is left as it is."""
        self.routing.init_weights()

    def init_identity(self) -> None:
        self.routing.init_identity()

    def forward(self, x: Tensor) -> Tensor:
        # (n, c, t, h, w) -> (n, t, c), in which order sums are fast in both formats.
        means = x.transpose(1, 2).mean((3, 4), dtype=self.routing.b.weight.dtype)
        alpha, bias = compute_calibration(self, means)
        # (n, t, c) -> (n, c, t, 1, 1)
        alpha = alpha.transpose(1, 2)[..., None, None]
        if self.calibrate == 'cin':
            y = self._convolve_scaled(x, alpha)
        else:
            y = scale(self._conv_forward(x, self.weight, None), alpha)
        if bias is None:
            return y
        return y + bias.transpose(1, 2)[..., None, None].to(y.dtype)

    def _convolve_scaled(self, x: Tensor, alpha: Tensor) -> Tensor:
        t, size = x.size(2), self.kernel_size[0]
        padded = F.pad(x, (0, 0) * 2 + (size // 2, size // 2))
        return sum(  # type: ignore[return-value]
            F.conv3d(
                scale(padded[:, :, i : i + t], alpha),
                self.weight[:, :, i : i + 1],
                None,
                self.stride,
                (0, *self.padding[1:]),
                self.dilation,
                self.groups,
            )
            for i in range(size)
        )
