"""Which networks of the table a test goes through, and what belongs to each."""

from functools import cache

from mmengine import Config
from parity import CONFIGS

from mmtemporal.networks import NETWORKS

# ResNets; those that stand in a Recognizer2D with single frames; with a recipe.
RESNETS = [name for name, network in NETWORKS.items() if network.is_resnet]
OF_FRAMES = [
    name
    for name in RESNETS
    if not NETWORKS[name].takes_clips and NETWORKS[name].window == 1
]
WITH_RECIPE = [name for name, network in NETWORKS.items() if network.recipe]


def base_config(name):
    return CONFIGS / '_base_/models' / f'{NETWORKS[name].config}.py'


@cache
def head_of(name):
    """Return the type of a network's head, without its scope."""
    kind = Config.fromfile(base_config(name)).model.cls_head.type
    return kind.removeprefix('mmtemporal.')
