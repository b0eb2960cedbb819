"""What the ``type`` of a config means, in whichever form it is written."""

from collections.abc import Mapping
from inspect import isclass, isfunction
from typing import Union

# Further names of samplers, by which MMAction2's demos know them.
_ALIASES = {
    'DenseClipSampleFrames': 'SampleDenseClips',
    'SegmentSampleFrames': 'SampleSegments',
    'UniformClipSampleFrames': 'UniformSample',
    'WindowSampleFrames': 'SampleWindows',
}


def type_name(kind: object) -> str:
    """Return the name of a registered type, without its scope; the class's, of several.

    Args:
        kind: A ``type`` of a config, such as ``'TANet'``, ``'mmtemporal.TANet'`` or,
            in pure Python configs, the class itself, also while it is lazy.
    """
    name = kind.__name__ if isclass(kind) or isfunction(kind) else str(kind)
    name = name.rpartition('.')[2]
    return _ALIASES.get(name, name)


def is_type(cfg: object, *names: str) -> bool:
    """Whether a config is of one of these types.

    Args:
        cfg: A config. What has no ``type`` is of none.
        *names: Names without scope.
    """
    return isinstance(cfg, Mapping) and type_name(cfg.get('type', '')) in names


def loads_checkpoint(init_cfg: Union[None, Mapping, list, tuple]) -> bool:
    """Whether an ``init_cfg``, which is one rule or a list, has one for a file."""
    rules = [init_cfg] if isinstance(init_cfg, Mapping) else init_cfg or ()
    return any(is_type(rule, 'Pretrained', 'PretrainedInit') for rule in rules)
