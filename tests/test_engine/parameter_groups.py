"""A module of all cases, and the groups that its parameters are in."""

import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

LR, DECAY = 0.1, 0.01


def build(
    model,
    groups,
    constructor='mmtemporal.GroupedOptimWrapperConstructor',
    optimizer=None,
    **paramwise,
):
    optimizer = optimizer or dict(type='SGD', lr=LR, weight_decay=DECAY)
    if groups is not None:
        paramwise['groups'] = groups
    cfg = dict(constructor=constructor, optimizer=optimizer, paramwise_cfg=paramwise)
    return build_optim_wrapper(model, cfg)


def multipliers(model, wrapper):
    """Return {name: (lr, decay)} in units of the base, of each parameter once."""
    names = {param: name for name, param in model.named_parameters()}
    result = {}
    for group in wrapper.optimizer.param_groups:
        for param in group['params']:
            assert names[param] not in result
            factors = group['lr'] / LR, group['weight_decay'] / DECAY
            result[names[param]] = tuple(round(factor, 6) for factor in factors)
    return result


class Everything(nn.Module):
    """One of each case that constructors by module class get wrong."""

    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(4))
        self.conv = nn.Conv1d(4, 4, 3)
        self.norm = nn.LayerNorm(4)
        self.attention = nn.MultiheadAttention(4, 2)
        self.shared = nn.Linear(4, 4)
        self.shared.weight = self.conv.bias_table = nn.Parameter(torch.ones(4, 4))
        self.again = self.norm
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.batch_norm = nn.BatchNorm2d(4)
        self.group_norm = nn.GroupNorm(2, 4)


def tree(**children):
    """Return a module with these children, given by name."""
    module = nn.Module()
    for name, child in children.items():
        setattr(module, name, child)
    return module
