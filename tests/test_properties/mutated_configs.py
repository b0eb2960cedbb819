"""What may be wrong in one of the small configs."""

from copy import deepcopy
from dataclasses import dataclass

from small_configs import CONFIGS, T

MISSING = object()

# What is written for a key of a kind, wherever it stands.
INTEGERS = ('8', -1, 0, 3, 1.5, None, [4], 'four', 999)
FLOATS = ('0.5', -0.5, 1.5, None, [0.5], 'half', float('nan'))
STAGES = ((9,), (-1,), 2, None, 'layer1', ('1',), (), (0.5,), (0, 1), (0, 9))
CHOICES = ('x', None, 0, ['b'], '')
OPTIONS = ('x', [1], 3)
VALUES = {
    key: values
    for values, keys in (
        (
            INTEGERS,
            'depth num_segments num_stages frozen_stages alpha beta num_scales '
            'adaptive_kernel_size conv1d_kernel_size shift_div num_groups reduction '
            'frames_per_segment head_dim num_classes in_channels num_clips clip_len '
            'num_views frame_interval target_fps embed_dims num_heads patch_size '
            'feedforward_channels img_size',
        ),
        (
            FLOATS,
            'offset_scale drop_path_rate layer_scale_init_value dropout_ratio init_std '
            'lr_mult decay_mult',
        ),
        (STAGES, 'temporal_stages long_term_stages shift_stages out_indices'),
        (
            CHOICES,
            'variant block_style fusion_form aggregation norm calibrate position kind '
            'form interpolate_mode activation',
        ),
        (OPTIONS, 'tam_cfg tin_cfg ltdm_cfg routing paramwise_cfg'),
    )
    for key in keys.split()
}
VALUES.update(
    reverse=('yes', None),
    separate_norm=('yes', None),
    short_term=(('layer9',), 'conv1', ('conv1', 7), 1, (), ('layer2',)),
    fusion=((0.5,), (0.5, 0.5, 0.5), 0.5, ('a', 'b'), 'x', (0, 1)),
    kernel_sizes=((2, 3), (3,), 3, ('3', '3'), (3, 3, 3), None, (3, -1)),
    strides=((1,), (1, 2, 2), 2, ('1', '2'), (0, 0), (1, 2), None),
    dilations=((1,), 1, None),
    arch=('tinny', None, 3, [], dict(depths=[1, 1, 1, 1])),
    depths=([1, 1, 1], [1, 1, 1, 0], [1, 1, 1, '1'], 4, None, [1, 1, 1, -1]),
    num_layers=('8', -1, 0, 1.5, None, [4], 'four'),
    channels=([8, 8, 16], [8, 8, 16, 0], [8, 8, 16, '16'], 8, None, [8, 8, 16, 18]),
    where=('layer9', 'layer1(', 3, [], [3], 'mobilenet_v2', None),
    temporal=('TAM', None, [], 3, [None]),
    backbone=('ResNet', None, 3, [], dict(depth=18)),
    groups=('x', None, 3, [3], [dict(width=1)]),
    name=('(', 3, 'nothing has this name'),
)
# Keys that are not in the configs above.
PRETRAINED = ('no/such/file.pth', 3, dict(type='Pretrained'))
# Keys that only MMAction2 reads.
FOREIGN = {'optimizer', 'constructor', 'conv_cfg', 'cls_head'}


@dataclass(frozen=True)
class Mutant:
    """A config with one mistake.

    Args:
        family: Key of the config in CONFIGS.
        cfg: The config.
        mistake: What is wrong.
        names: One of these is in the text of the error, if there is one.
        frames: Number of frames of the clips that it is given.
    """

    family: str
    cfg: dict
    mistake: str
    names: tuple
    frames: int = T


def mutants(family):
    """List the mistakes that are made in the config of a family."""
    cfg = CONFIGS[family]
    found = []

    def add(path, value, mistake, *names, new_key=None):
        changed = _change(cfg, path, value, new_key)
        mistake = f'{".".join(map(str, path))} {mistake}'
        found.append(Mutant(family, changed, mistake, names))

    for path in _our_keys(family):
        key, value = path[-1], _value(cfg, path)
        if key == 'type':
            scope, dot, word = value.rpartition('.')
            for wrong in _misspell(word):
                wrong = scope + dot + wrong
                add(path, wrong, f'is {wrong!r}', wrong)
            # The default routing function, which has other arguments.
            add(path, MISSING, 'is missing', 'type', 'head_dim')
            continue
        for wrong in VALUES.get(key, ()):
            add(path, wrong, f'is {wrong!r}', key)
        for wrong in _misspell(key):
            # Of a key without default, the right name is missed first.
            add(path, value, f'is written {wrong}', wrong, key, new_key=wrong)
        add(path, MISSING, 'is missing', key)
    if 'backbone' in cfg:
        if family != 'conv_cfg':
            add(('backbone', 'unknown'), 1, 'is 1', 'unknown')
        if 'mmtemporal.T' in cfg['backbone']['type'] and 'adapter' not in family:
            for wrong in PRETRAINED:
                add(('backbone', 'pretrained'), wrong, f'is {wrong!r}', 'pretrained')
        add(('cls_head', 'unknown'), 1, 'is 1', 'unknown')
        for frames in (1, 3, 5, 6):
            mistake = f'clips of {frames} frames'
            found.append(
                Mutant(family, deepcopy(cfg), mistake, ('num_segments',), frames)
            )
    return found


def _our_keys(family):
    """List the places of the keys that this package reads."""
    for path in _walk(CONFIGS[family]):
        *owners, key = path
        if family == 'optimizer':
            ours = 'groups' in owners or key in ('groups', 'paramwise_cfg')
        elif 'backbone' not in CONFIGS[family]:
            ours = key != 'type'
        elif not owners or key in FOREIGN:
            ours = False
        elif family == 'conv_cfg':
            # mmcv looks up the type, and does not tell what it looked for.
            ours = 'backbone' not in owners[-1:] and path[1:] != ('conv_cfg', 'type')
        else:
            # The network inside of an adapter is MMAction2's.
            ours = owners[:2] != ['backbone', 'backbone']
        if ours:
            yield path


def _walk(cfg, path=()):
    keys = cfg.items() if isinstance(cfg, dict) else enumerate(cfg)
    for key, value in keys:
        if isinstance(cfg, dict):
            yield (*path, key)
        if isinstance(value, dict) or key == 'groups':
            yield from _walk(value, (*path, key))


def _value(cfg, path):
    for key in path:
        cfg = cfg[key]
    return cfg


def _change(cfg, path, value, new_key=None):
    """Return a copy with another value at a place, or under another key."""
    cfg = deepcopy(cfg)
    owner = _value(cfg, path[:-1])
    owner.pop(path[-1], None)
    if value is not MISSING:
        owner[new_key or path[-1]] = value
    return cfg


def _misspell(word):
    """Leave the last letter out, swap two, and change the case."""
    swapped = word[0] + word[2] + word[1] + word[3:]
    changed = word.upper() if word.islower() else word.lower()
    return [wrong for wrong in (word[:-1], swapped, changed) if wrong != word]
