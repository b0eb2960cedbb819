"""Classes of this package are reachable from any scope and collide with none."""

import pytest
import torch
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope

from mmtemporal.registry import MODELS


@pytest.fixture
def scratch(monkeypatch):
    """Forget what the test registers, and keep it from importing all models."""
    monkeypatch.setattr(MODELS, '_module_dict', {})
    monkeypatch.setattr(MODELS, '_imported', True)


def test_node():
    assert MODELS.scope == 'mmtemporal'
    assert MODELS.parent is ROOT_MODELS
    assert ROOT_MODELS.children['mmtemporal'] is MODELS
    assert MODELS._locations == ['mmtemporal.models']


@pytest.mark.parametrize('scope', ['mmengine', 'mmaction', 'mmdet'])
def test_reachable_from_any_scope(scratch, scope):
    class TANet(torch.nn.Module):
        pass

    MODELS.register_module(module=TANet)
    with DefaultScope.overwrite_default_scope(scope):
        assert type(ROOT_MODELS.build(dict(type='mmtemporal.TANet'))) is TANet


def test_both_names_live_side_by_side(scratch):
    from mmaction.registry import MODELS as STOCK_MODELS

    class TANet(torch.nn.Module):
        pass

    MODELS.register_module(module=TANet)
    with DefaultScope.overwrite_default_scope('mmaction'):
        assert STOCK_MODELS.get('mmtemporal.TANet') is TANet
        assert STOCK_MODELS.get('TANet').__module__.startswith('mmaction.')
