"""Every parameter in one optimizer group, by the rules of the recipes."""

import copy
import logging

import pytest
import torch
from mmaction.registry import MODELS as STOCK_MODELS
from mmengine import ConfigDict
from mmengine.logging import MMLogger
from mmengine.optim import CosineAnnealingLR, LinearLR, build_optim_wrapper
from mmengine.registry import DefaultScope
from parameter_groups import DECAY, LR, Everything, build, multipliers, tree
from parity import build_recognizer
from torch import nn

from mmtemporal.engine import GroupedOptimWrapperConstructor

NO_DECAY = [dict(kind='norm', decay_mult=0), dict(kind='bias', decay_mult=0)]
TSM = [
    dict(name=r'^cls_head\.fc_cls\.weight$', lr_mult=5),
    dict(name=r'^cls_head\.fc_cls\.bias$', lr_mult=10, decay_mult=0),
    dict(kind='norm', decay_mult=0),
    dict(kind='bias', lr_mult=2, decay_mult=0),
]
TADA_CONVNEXT_V2 = [
    dict(name=r'\.routing\..*weight$', lr_mult=5),
    dict(name=r'\.routing\..*bias$', lr_mult=10, decay_mult=0),
    dict(name=r'^cls_head\..*weight$', lr_mult=5),
    dict(name=r'^cls_head\..*bias$', lr_mult=10, decay_mult=0),
    dict(name=r'\.norm(_avg)?\.', decay_mult=0),
    dict(name=r'bias$', decay_mult=0),
]


def recognizer(config, **backbone):
    backbone = dict(depth=18, **backbone)
    return build_recognizer(config, backbone=backbone, cls_head=dict(in_channels=512))


def stock_recognizer(backbone, head):
    with DefaultScope.overwrite_default_scope('mmaction'):
        return STOCK_MODELS.build(
            dict(
                type='Recognizer2D',
                backbone=dict(type=backbone, depth=18, pretrained=None),
                cls_head=dict(type=head, num_classes=4, in_channels=512),
            )
        )


@pytest.fixture(scope='module', params=['tanet_r50', 'tin_r50', 'hand-made'])
def model(request):
    if request.param == 'hand-made':
        return Everything()
    return recognizer(request.param, frozen_stages=1)


def test_every_trainable_parameter_is_in_one_group(model):
    found = multipliers(model, build(model, NO_DECAY))
    trainable = {n for n, p in model.named_parameters() if p.requires_grad}
    assert found.keys() == trainable < {n for n, _ in model.named_parameters()}
    # What is decayed is what has two dimensions or more, but for these.
    decayed = {n for n, (_, decay) in found.items() if decay}
    matrices = {n for n, p in model.named_parameters() if p.ndim > 1 and n in found}
    assert decayed == matrices | ({'gamma'} & found.keys())


def test_shared_and_bare_parameters_have_the_kind_of_their_first_name():
    model = Everything()
    rules = [dict(kind=k, lr_mult=i) for i, k in enumerate(('weight', 'bias', 'norm'))]
    found = {n: lr for n, (lr, _) in multipliers(model, build(model, rules)).items()}
    assert found == {
        'gamma': 0,
        'conv.weight': 0,
        'conv.bias': 1,
        'conv.bias_table': 0,
        'shared.bias': 1,
        'norm.weight': 2,
        'norm.bias': 2,
        'attention.in_proj_weight': 0,
        'attention.in_proj_bias': 1,
        'attention.out_proj.weight': 0,
        'attention.out_proj.bias': 1,
        'batch_norm.weight': 2,
        'batch_norm.bias': 2,
        'group_norm.weight': 2,
        'group_norm.bias': 2,
    }


@pytest.mark.parametrize('fc_lr5', [True, False])
@pytest.mark.parametrize(
    ('build_model', 'arguments'),
    [
        (stock_recognizer, ('ResNet', 'TSNHead')),
        (stock_recognizer, ('ResNetTSM', 'TSMHead')),
        (recognizer, ('tin_r50',)),
    ],
)
def test_equals_the_stock_constructor(build_model, arguments, fc_lr5):
    model = build_model(*arguments)
    groups = TSM if fc_lr5 else TSM[2:]
    if fc_lr5 and build_model is stock_recognizer:
        with pytest.raises(ValueError, match=r'groups\[3\].* move or remove it'):
            build(model, groups)
        groups = groups[:3]
    with DefaultScope.overwrite_default_scope('mmaction'):
        stock = build(model, None, 'TSMOptimWrapperConstructor', fc_lr5=fc_lr5)
    found = multipliers(model, build(model, groups))
    assert found == multipliers(model, stock)
    assert len(found) == len(list(model.parameters()))
    assert found['backbone.conv1.conv.weight'] == (1, 1)


def test_groups_of_tada_convnext_v2():
    routing = tree(
        a=nn.Conv1d(4, 2, 3), norm=nn.LayerNorm(2), b=nn.Conv1d(2, 4, 3, bias=False)
    )
    block = tree(
        dwconv=nn.Conv2d(4, 4, 7, groups=4),
        routing=routing,
        norm=nn.LayerNorm(4),
        norm_avg=nn.LayerNorm(4),
        pwconv1=nn.Linear(4, 4),
        gamma=nn.Parameter(torch.ones(4)),
    )
    stem = nn.Sequential(nn.Conv3d(3, 4, 1), nn.LayerNorm(4))
    backbone = tree(
        downsample_layers=nn.ModuleList([stem]),
        stages=nn.ModuleList([nn.ModuleList([block])]),
        norm=nn.LayerNorm(4),
    )
    model = tree(backbone=backbone, cls_head=tree(fc_cls=nn.Linear(4, 2)))
    expected = {
        'backbone.downsample_layers.0.0.weight': (1, 1),
        'backbone.downsample_layers.0.0.bias': (1, 0),
        'backbone.downsample_layers.0.1.weight': (1, 1),
        'backbone.downsample_layers.0.1.bias': (1, 0),
        'backbone.stages.0.0.gamma': (1, 1),
        'backbone.stages.0.0.dwconv.weight': (1, 1),
        'backbone.stages.0.0.dwconv.bias': (1, 0),
        'backbone.stages.0.0.routing.a.weight': (5, 1),
        'backbone.stages.0.0.routing.a.bias': (10, 0),
        'backbone.stages.0.0.routing.norm.weight': (5, 1),
        'backbone.stages.0.0.routing.norm.bias': (10, 0),
        'backbone.stages.0.0.routing.b.weight': (5, 1),
        'backbone.stages.0.0.norm.weight': (1, 0),
        'backbone.stages.0.0.norm.bias': (1, 0),
        'backbone.stages.0.0.norm_avg.weight': (1, 0),
        'backbone.stages.0.0.norm_avg.bias': (1, 0),
        'backbone.stages.0.0.pwconv1.weight': (1, 1),
        'backbone.stages.0.0.pwconv1.bias': (1, 0),
        'backbone.norm.weight': (1, 0),
        'backbone.norm.bias': (1, 0),
        'cls_head.fc_cls.weight': (5, 1),
        'cls_head.fc_cls.bias': (10, 0),
    }
    wrapper = build(model, TADA_CONVNEXT_V2)
    assert multipliers(model, wrapper) == expected
    assert len(wrapper.optimizer.param_groups) == 4


def test_what_the_config_leaves_out_is_the_default_of_the_optimizer():
    (group,) = build(Everything(), [], optimizer=dict(type='AdamW')).param_groups
    assert (group['lr'], group['weight_decay']) == (1e-3, 1e-2)


def test_a_rule_may_decide_frozen_parameters_alone():
    model = Everything()
    wrapper = build(model, [dict(name='^frozen', lr_mult=3)])
    assert set(multipliers(model, wrapper).values()) == {(1, 1)}


def test_a_wrapped_model_is_unwrapped():
    model = tree(module=Everything())
    wrapper = build(model, [dict(name='^gamma$', lr_mult=3)])
    assert multipliers(model, wrapper)['module.gamma'] == (3, 1)


def test_checkpointed_modules_are_covered():
    """Their wrapper puts a name of its own between owner and parameter."""
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
        checkpoint_wrapper,
    )

    model = tree(norm=checkpoint_wrapper(nn.LayerNorm(4)), fc=nn.Linear(4, 4))
    found = multipliers(model, build(model, NO_DECAY))
    assert sorted(found.values()) == [(1, 0)] * 3 + [(1, 1)]


@pytest.mark.parametrize('scope', ['mmengine', 'mmaction', 'mmdet'])
def test_config_is_kept_and_found_from_any_scope(scope):
    cfg = ConfigDict(
        constructor='mmtemporal.GroupedOptimWrapperConstructor',
        optimizer=dict(type='SGD', lr=LR, weight_decay=DECAY),
        paramwise_cfg=dict(groups=TSM[2:]),
    )
    before = copy.deepcopy(cfg)
    with DefaultScope.overwrite_default_scope(scope):
        build_optim_wrapper(Everything(), cfg)
    constructor = cfg.pop('constructor')
    paramwise_cfg = cfg.pop('paramwise_cfg')
    GroupedOptimWrapperConstructor(cfg, paramwise_cfg)(Everything())
    assert dict(cfg, constructor=constructor, paramwise_cfg=paramwise_cfg) == before


def test_one_line_is_logged_per_group():
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        build(nn.Conv2d(3, 8, 3), [dict(kind='bias', lr_mult=2, decay_mult=0)])
    finally:
        logger.removeHandler(handler)
    assert [line for line in records if line.startswith('Parameter group')] == [
        'Parameter group 0: 1 tensors, 216 values, lr=0.1, weight_decay=0.01',
        'Parameter group 1: 1 tensors, 8 values, lr=0.2, weight_decay=0',
    ]


def test_schedulers_keep_the_ratios_between_groups():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    wrapper = build(
        model, [dict(kind='bias', lr_mult=2), dict(kind='norm', decay_mult=0)]
    )
    schedulers = [
        LinearLR(wrapper, start_factor=0.1, end=2, by_epoch=False),
        CosineAnnealingLR(wrapper, T_max=4, by_epoch=False),
    ]
    seen = []
    for _ in range(2):
        wrapper.update_params(model(torch.randn(3, 4)).square().mean())
        for scheduler in schedulers:
            scheduler.step()
        seen.append([group['lr'] for group in wrapper.optimizer.param_groups])
    assert seen[0] != seen[1]
    for weight, bias, norm in seen:
        assert (bias, norm) == pytest.approx((2 * weight, weight))
