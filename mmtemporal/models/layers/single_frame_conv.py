"""A 3-D convolution without its extent in time."""

from typing import Any

from torch import Tensor, nn


class SingleFrameConv3d(nn.Conv3d):
    """What remains of a temporal convolution when a layer mixes the frames instead.

    Its kernel is the old one summed over time, which on a still clip gives the same
    response, and a kernel inflated from 2-D gives back that kernel. Checkpoints
    with the old kernel are loaded in the same way.

    Args:
        conv: A convolution that keeps the number of frames.

    Shape:
        - input: (n, c, t, h, w)
        - output: that of ``conv``
    """

    def __init__(self, conv: nn.Conv3d) -> None:
        super().__init__(
            conv.in_channels,
            conv.out_channels,
            (1, *conv.kernel_size[1:]),  # type: ignore[arg-type]
            conv.stride,  # type: ignore[arg-type]
            (0, *conv.padding[1:]),
            conv.dilation,  # type: ignore[arg-type]
            conv.groups,
            conv.bias is not None,
        )
        self.weight = nn.Parameter(
            _sum_over_time(conv.weight.detach()), conv.weight.requires_grad
        )
        self.bias = conv.bias

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        name = f'{prefix}weight'
        if name in state_dict:
            state_dict[name] = _sum_over_time(state_dict[name])
        super()._load_from_state_dict(state_dict, prefix, *args)


def _sum_over_time(weight: Tensor) -> Tensor:
    return weight.sum(2, keepdim=True) if weight.dim() == 5 else weight
