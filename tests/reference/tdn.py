"""TDN's long-term module as its description reads: one direction at a time."""

import torch
import torch.nn.functional as F


def long_term_gate(layer, x):
    """Weights x (n * t, c, h, w) with the modules of a layer, used plainly."""
    t = layer.num_segments
    reduced = layer.reduce_bn(layer.reduce(x))
    aligned = layer.align(reduced)
    forward, backward = torch.zeros_like(reduced), torch.zeros_like(reduced)
    for row in range(len(x)):
        if row % t < t - 1:
            forward[row] = aligned[row + 1] - reduced[row]
        if row % t > 0:
            backward[row] = aligned[row - 1] - reduced[row]
    forward, backward = (excite(layer, each) for each in (forward, backward))
    return x + x * (0.5 * forward + 0.5 * backward)


def excite(layer, difference):
    """Return the attention of the differences in one direction."""
    branches = [difference]
    if layer.num_scales >= 2:
        pooled = layer.pooled_bn(layer.pooled(F.avg_pool2d(difference, 2)))
        branches.append(F.interpolate(pooled, difference.shape[2:]))
    if layer.num_scales >= 3:
        branches.append(layer.full_bn(layer.full(difference)))
    mean = sum(branches[1:], branches[0]) / len(branches)
    return torch.sigmoid(layer.expand_bn(layer.expand(mean))) - 0.5
