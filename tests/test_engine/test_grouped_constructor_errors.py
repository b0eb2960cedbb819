"""Rules of optimizer groups that fit nothing, or are wrong."""

import pytest
from parameter_groups import DECAY, LR, Everything, build


@pytest.mark.parametrize(
    ('groups', 'message'),
    [
        ([dict(nam='x')], r"groups\[0\].* unknown keys \['nam'\]; known are"),
        ([dict(kind='bn')], "kind='bn' is none of"),
        ([dict(name='(')], 'name is no regular expression'),
        ([dict(name=3)], 'name is no regular expression'),
        ([dict(lr_mult='5')], 'multipliers must be numbers'),
        ([dict(decay_mult=-1)], 'multipliers must be numbers'),
        ([dict(name='gama')], r"groups\[0\]=.*'gama'.* no name and kind match it"),
        ([dict(name='gamma', kind='bias')], 'no name and kind match it'),
        ([{}, dict(name='gamma')], r'groups\[1\].* earlier rules take all that it'),
    ],
)
def test_bad_rules_are_named(groups, message):
    with pytest.raises(ValueError, match=message):
        build(Everything(), groups)


@pytest.mark.parametrize('groups', [None, dict(kind='bias'), ['bias']])
def test_wrong_types_are_named(groups):
    with pytest.raises(TypeError, match='paramwise_cfg.groups'):
        build(Everything(), groups)


def test_other_options_are_refused():
    with pytest.raises(ValueError, match=r"unknown keys \['custom_keys'\]"):
        build(Everything(), [], custom_keys={'gamma': dict(lr_mult=2)})


@pytest.mark.parametrize(
    ('optimizer', 'rule', 'option'),
    [
        (dict(type='AdamW', lr=LR), dict(decay_mult=0), 'optimizer.weight_decay'),
        (dict(type='AdamW', weight_decay=DECAY), dict(lr_mult=2), 'optimizer.lr'),
    ],
)
def test_multipliers_need_a_base(optimizer, rule, option):
    with pytest.raises(ValueError, match=option):
        build(Everything(), [rule], optimizer=optimizer)
