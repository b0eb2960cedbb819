"""Classes of this package are reachable from any scope and collide with none."""

import pytest
import torch
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as ROOT_CONSTRUCTORS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import DefaultScope

from mmtemporal.registry import HOOKS, MODELS, OPTIM_WRAPPER_CONSTRUCTORS, TRANSFORMS


@pytest.fixture
def scratch(monkeypatch):
    """Forget what the test registers, and keep it from importing all models."""
    monkeypatch.setattr(MODELS, '_module_dict', {})
    monkeypatch.setattr(MODELS, '_imported', True)


@pytest.mark.parametrize(
    ('node', 'root', 'location'),
    [
        (HOOKS, ROOT_HOOKS, 'mmtemporal.engine'),
        (MODELS, ROOT_MODELS, 'mmtemporal.models'),
        (OPTIM_WRAPPER_CONSTRUCTORS, ROOT_CONSTRUCTORS, 'mmtemporal.engine'),
        (TRANSFORMS, ROOT_TRANSFORMS, 'mmtemporal.datasets.transforms'),
    ],
)
def test_node(node, root, location):
    assert node.scope == 'mmtemporal'
    assert node.parent is root
    assert root.children['mmtemporal'] is node
    assert node._locations == [location]


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
