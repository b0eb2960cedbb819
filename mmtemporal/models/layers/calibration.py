"""How the kernels of temporally-adaptive convolutions are calibrated.

Papers: TAda! Temporally-Adaptive Convolutions for Video Understanding (ICLR
2022), https://arxiv.org/abs/2110.06178; Temporally-Adaptive Models for
Efficient Video Understanding, https://arxiv.org/abs/2308.05787
"""

from typing import Any, Optional, Union

import torch
from torch import Tensor, nn

from mmtemporal.checks import check_choice, check_options
from mmtemporal.config_types import type_name
from mmtemporal.ops import without_autocast

from .temporal_routing import AttentionRouting, ConvRouting

_ROUTINGS = {
    'conv': ConvRouting,
    'attention': AttentionRouting,
    # as pure Python configs have them
    'ConvRouting': ConvRouting,
    'AttentionRouting': AttentionRouting,
}


def make_routing(
    conv: nn.Module, calibrate_bias: bool, routing: Optional[dict]
) -> Union[ConvRouting, AttentionRouting]:
    """Make the routing function of a convolution."""
    if conv.calibrate not in ('cin', 'cout'):
        raise ValueError(f"calibrate={conv.calibrate!r} is none of 'cin', 'cout'")
    if calibrate_bias and conv.bias is None:
        raise ValueError('calibrate_bias=True needs bias=True')
    options = check_options('routing', routing)
    kind = type_name(options.pop('type', 'conv'))
    check_choice('routing.type', kind, _ROUTINGS)
    return _ROUTINGS[kind](
        conv.in_channels,
        conv.in_channels if conv.calibrate == 'cin' else conv.out_channels,
        bias_channels=conv.out_channels if calibrate_bias else None,
        **options,
    )


def compute_calibration(conv: Any, means: Tensor) -> tuple[Tensor, Optional[Tensor]]:
    """Compute the calibration of the kernel for every frame, and the bias.

    A calibration is one plus something small, which half precision loses. So
    autocast does not reach the routing function, and it is the small part
    alone that is rounded to the dtype of the frames.

    Shape:
        - means: (n, t, in_channels), of the frames over space
        - output: how far the calibrations are from one, (n, t, c); and the
          calibrated bias, (n or 1, t or 1, out_channels), or None
    """
    with without_autocast(means):
        alpha, beta = conv.routing(means)
        if conv.recorder is not None:
            conv.record(calibration=1 + alpha)
        if beta is not None:
            return alpha, scale(conv.bias, beta)
    return alpha, None if conv.bias is None else conv.bias[None, None]


def scale(x: Tensor, deviation: Tensor) -> Tensor:
    """Return ``x * (1 + deviation)`` in the dtype of x."""
    return torch.addcmul(x, x, deviation.to(x.dtype))
