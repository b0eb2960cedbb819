"""The registry nodes of this package.

The nodes have a scope of their own because MMAction2 already registers a ``TANet``
and a ``ResNetTIN``: with ``type='mmtemporal.TANet'`` a config says which one it
means, and nothing is overwritten. As children of the roots of mmengine they are
reachable from whatever ``default_scope`` a config sets.
"""

from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as ROOT_CONSTRUCTORS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import Registry

HOOKS = Registry(
    'hook', parent=ROOT_HOOKS, scope='mmtemporal', locations=['mmtemporal.engine']
)
MODELS = Registry(
    'model', parent=ROOT_MODELS, scope='mmtemporal', locations=['mmtemporal.models']
)
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=ROOT_CONSTRUCTORS,
    scope='mmtemporal',
    locations=['mmtemporal.engine'],
)
TRANSFORMS = Registry(
    'transform',
    parent=ROOT_TRANSFORMS,
    scope='mmtemporal',
    locations=['mmtemporal.datasets.transforms'],
)
