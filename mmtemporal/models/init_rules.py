"""The order in which the rules of an ``init_cfg`` are followed."""

from collections.abc import Mapping, Sequence
from typing import Callable, Union

from mmengine.model import BaseModule, initialize

from mmtemporal.config_types import loads_checkpoint


def split_rules(
    init_cfg: Union[None, Mapping, Sequence[Mapping]],
) -> tuple[list[Mapping], list[Mapping]]:
    """Return the rules that draw weights, and those that load a file.

    mmengine knows the latter as a bare ``'Pretrained'`` or as the class. Under any
    other name, such as ``'mmengine.Pretrained'``, it follows them before the children
    are initialised, which undoes them. They are returned under the name it knows.

    Args:
        init_cfg: A rule, several, or None.
    """
    rules = [init_cfg] if isinstance(init_cfg, Mapping) else init_cfg or ()
    drawing = [rule for rule in rules if not loads_checkpoint(rule)]
    loading: list[Mapping] = [
        dict(rule, type='Pretrained') for rule in rules if loads_checkpoint(rule)
    ]
    return drawing, loading


def init_in_order(module: BaseModule, init_new: Callable[[], None]) -> None:
    """Initialise a module as mmengine does, with a step of its own before the files.

    What a file does not hold is then initialised, and what it holds is kept.

    Args:
        module: The module, whose ``init_cfg`` says how.
        init_new: Give new layers the weights that no rule gives them. It runs after
            the rules that draw weights and before those that load a file.
    """
    init_cfg = module.init_cfg
    module.init_cfg, loading = split_rules(init_cfg)
    BaseModule.init_weights(module)
    module.init_cfg = init_cfg
    init_new()
    initialize(module, loading)
