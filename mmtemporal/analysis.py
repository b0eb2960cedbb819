"""What a network costs."""

from copy import deepcopy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_multiply_adds(recognizer: nn.Module, *shape: int) -> int:
    """Count the multiply-adds of a recognizer, from its input to its scores.

    Convolutions, linear layers, matrix products and attention are counted. Products
    of single elements are not: of the few weights for every value by which all but
    TDN's long-term module mix the frames, of calibrations, norms and activations.

    Nothing is computed, so it takes no time and no memory for any size.

    Args:
        recognizer: An MMAction2 recognizer. It is left as it is.
        *shape: Shape of a batch, such as (1, 8, 3, 224, 224) for ``Recognizer2D``
            and (1, 1, 3, 8, 224, 224) for ``Recognizer3D``.
    """
    if any(not parameter.is_meta for parameter in recognizer.parameters()):
        recognizer = deepcopy(recognizer).to('meta')
    training = recognizer.training
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        recognizer.eval()(torch.empty(shape, device='meta'), stage='head')
    recognizer.train(training)
    return counter.get_total_flops() // 2
