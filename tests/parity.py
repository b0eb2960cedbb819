"""Fixtures of the authors' implementations, and how they are used.

A fixture holds no weights. Weights and inputs are functions of their names, so
that names, shapes and a seed stand for a whole checkpoint; the outputs were
computed in float64 by the code that the authors released.
"""

import hashlib
import json
from math import prod
from pathlib import Path

import numpy as np
import torch
from mmaction.apis import init_recognizer
from mmengine import Config

DATA = Path(__file__).parent / 'data'
CONFIGS = Path(__file__).parents[1] / 'configs'


def build_recognizer(config, **parts):
    """Build the recognizer of a base config with changes to its parts."""
    cfg = Config.fromfile(CONFIGS / f'_base_/models/{config}.py')
    for name, changes in parts.items():
        if changes is None:
            cfg.model.pop(name)
        else:
            cfg.merge_from_dict({f'model.{name}': changes})
    return init_recognizer(cfg, device='cpu')


def load_fixture(name):
    return json.loads((DATA / f'{name}.json').read_text())


def _random(name, seed):
    digest = hashlib.sha256(f'{seed}:{name}'.encode()).digest()
    seed = int.from_bytes(digest[:8], 'little')
    return np.random.Generator(np.random.PCG64(seed))


def named_tensor(name, shape, seed):
    """Draw the tensor that a fixture means by a name and a shape.

    Counters are 0, variances lie in [0.5, 1.5], scales of norm layers in [0.4,
    0.8], other vectors have std 0.1, and weights std ``fan_in ** -0.5``, where
    leading dimensions of size one do not count.
    """
    if name.endswith('num_batches_tracked'):
        return torch.zeros(shape, dtype=torch.long)
    random = _random(name, seed)
    if name.endswith('running_var'):
        value = random.uniform(0.5, 1.5, shape)
    elif name.endswith('weight') and len(shape) == 1:
        value = random.uniform(0.4, 0.8, shape)
    else:
        leading = next(
            (i for i, size in enumerate(shape[:-1]) if size != 1), len(shape)
        )
        inner = shape[leading + 1 :]
        std = prod(inner) ** -0.5 if inner else 0.1
        value = std * random.standard_normal(shape)
    return torch.from_numpy(np.asarray(value, dtype=np.float32))


def make_state_dict(fixture):
    """Return what the authors' checkpoint would hold."""
    seed = fixture['seed']
    return {
        name: named_tensor(name, shape, seed)
        for name, shape in fixture['state_dict'].items()
    }


def make_input(fixture):
    """Return a normal input, (clips, frames, 3, h, w), smoothed in time."""
    clips, frames = fixture['input_shape'][:2]
    value = _random('input', fixture['seed']).standard_normal(fixture['input_shape'])
    norm = np.sqrt(np.arange(1, frames + 1)).reshape(1, frames, 1, 1, 1)
    return torch.from_numpy((np.cumsum(value, axis=1) / norm).astype(np.float32))
