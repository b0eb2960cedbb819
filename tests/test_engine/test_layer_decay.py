"""Learning rates that become smaller from the last layer to the first."""

import pytest
from parameter_groups import DECAY, build, multipliers, tree
from torch import nn

from mmtemporal.engine import LayerDecay

CFG = dict(rate=0.5, layers=r'^layers\.(\d+)\.', before='^stem')


def small_model():
    layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    return tree(stem=nn.Linear(2, 2), layers=layers, head=nn.Linear(2, 2))


def test_multipliers():
    names = [name for name, _ in small_model().named_parameters()]
    assert LayerDecay(CFG).multipliers(names) == {
        **dict.fromkeys(('stem.weight', 'stem.bias'), 0.125),
        **dict.fromkeys(('layers.0.weight', 'layers.0.bias'), 0.25),
        **dict.fromkeys(('layers.1.weight', 'layers.1.bias'), 0.5),
        **dict.fromkeys(('head.weight', 'head.bias'), 1),
    }


def test_rules_and_layers_are_multiplied():
    model = small_model()
    groups = [dict(name='^head', lr_mult=10), dict(kind='bias', lr_mult=2)]
    found = multipliers(model, build(model, groups, layer_decay=CFG))
    assert found == {
        'stem.weight': (0.125, 1),
        'stem.bias': (0.25, 1),
        'layers.0.weight': (0.25, 1),
        'layers.0.bias': (0.5, 1),
        'layers.1.weight': (0.5, 1),
        'layers.1.bias': (1, 1),
        'head.weight': (10, 1),
        'head.bias': (10, 1),
    }


def test_none_is_off():
    model = small_model()
    found = multipliers(model, build(model, [], layer_decay=None))
    assert {*found.values()} == {(1, 1)}


def test_frozen_layers_count():
    model = small_model()
    model.layers[1].requires_grad_(False)
    found = multipliers(model, build(model, [], layer_decay=CFG))
    assert found['layers.0.weight'] == (0.25, 1)
    assert 'layers.1.weight' not in found


@pytest.mark.parametrize(
    'cfg, message',
    [
        (dict(CFG, rat=1), r'has the keys .*expected \[.rate., .layers., .before.\]'),
        (dict(rate=0.5), r"has the keys \['rate'\]"),
        (dict(CFG, rate=0), 'layer_decay.rate=0, expected a number above 0'),
        (dict(CFG, rate=1.5), 'layer_decay.rate=1.5'),
        (dict(CFG, rate='0.7'), "layer_decay.rate='0.7'"),
        (dict(CFG, layers='('), r'layer_decay.layers=.* is no regular expression'),
        (dict(CFG, before=3), r'layer_decay.before=3 is no regular expression'),
        (dict(CFG, layers='layers'), 'has 0 groups, expected one'),
        (dict(CFG, layers=r'blocks\.(\d+)'), r'layers=.*blocks.* matches no parameter'),
        (dict(CFG, before='embed'), "before='embed' matches no parameter"),
        (dict(CFG, layers=r'(l\w+)\.'), "takes 'layers' out of layers.0.weight"),
        (dict(CFG, layers=r'layers\.(x)?'), 'takes None out of layers.0.weight'),
    ],
)
def test_what_does_not_fit_is_named(cfg, message):
    with pytest.raises(ValueError, match=message):
        build(small_model(), [], layer_decay=cfg)


def test_wrong_types_are_named():
    with pytest.raises(TypeError, match=r'layer_decay must be a dict, got 0\.7'):
        build(small_model(), [], layer_decay=0.7)


def test_a_learning_rate_is_needed():
    optimizer = dict(type='AdamW', weight_decay=DECAY)
    with pytest.raises(ValueError, match='layer_decay needs a learning rate'):
        build(small_model(), [], optimizer=optimizer, layer_decay=CFG)
