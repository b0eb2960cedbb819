"""The registry node of this package.

The node has a scope of its own because MMAction2 already registers a ``TANet``
and a ``ResNetTIN``: with ``type='mmtemporal.TANet'`` a config says which one it
means, and nothing is overwritten. As a child of the root of mmengine it is
reachable from whatever ``default_scope`` a config sets.
"""

from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import Registry

MODELS = Registry(
    'model', parent=ROOT_MODELS, scope='mmtemporal', locations=['mmtemporal.models']
)
