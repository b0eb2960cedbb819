"""A 3-D convolution in two steps."""

from typing import Union

from torch import Tensor, nn
from torch.nn.modules.utils import _triple

Triple = tuple[int, int, int]
Sizes = Union[int, Triple]


class Conv2plus1d(nn.Module):
    """A convolution over space, batch norm, ReLU, and a convolution over time.

    Unlike mmaction2's class of this name it has as many channels between the two as
    at the end, and so the size of the R(2+1)D-50 to which TAda's authors add their
    convolutions: a ResNet-50 with one temporal convolution more in each block.

    Papers: A Closer Look at Spatiotemporal Convolutions for Action Recognition (CVPR
    2018), https://arxiv.org/abs/1711.11248; TAda! Temporally-Adaptive Convolutions for
    Video Understanding (ICLR 2022), https://arxiv.org/abs/2110.06178, Table 3

    Args:
        in_channels: Number of channels of the input.
        out_channels: Number of channels of the output.
        kernel_size: Size of the kernel in time and space, or in all of them.
        stride: Stride, in the same way.
        padding: Zeros around the clip, in the same way.
        dilation: Spacing of the kernel, in the same way.
        groups: Number of groups of channels.
        bias: Whether the second convolution has a bias.

    Shape:
        - input: (n, in_channels, t, h, w)
        - output: that of a 3-D convolution
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size: Triple = _triple(kernel_size)
        self.stride: Triple = _triple(stride)
        self.padding: Triple = _triple(padding)
        self.dilation: Triple = _triple(dilation)
        self.groups = groups
        self.transposed = False
        self.output_padding = (0, 0, 0)
        self.conv_s = nn.Conv3d(
            in_channels,
            out_channels,
            (1, *self.kernel_size[1:]),
            (1, *self.stride[1:]),
            (0, *self.padding[1:]),
            (1, *self.dilation[1:]),
            groups,
            bias=False,
        )
        self.bn_s = nn.BatchNorm3d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv_t = nn.Conv3d(
            out_channels,
            out_channels,
            (self.kernel_size[0], 1, 1),
            (self.stride[0], 1, 1),
            (self.padding[0], 0, 0),
            (self.dilation[0], 1, 1),
            groups,
            bias,
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_t(self.relu(self.bn_s(self.conv_s(x))))
