"""No code of this package runs what a file asks for, but where the user allows it."""

import ast

import pytest
from parity import CONFIGS

REPOSITORY = CONFIGS.parent
FOLDERS = ('mmtemporal', 'tools', 'benchmarks')
# Functions that run what is in a file, whatever their arguments are.
UNSAFE = {
    *(f'pickle.{name}' for name in ('load', 'loads', 'Unpickler')),
    *(f'marshal.{name}' for name in ('load', 'loads')),
    *(f'yaml.{name}' for name in ('load', 'load_all', 'unsafe_load', 'full_load')),
    *('joblib.load', 'dill.load', 'dill.loads', 'cloudpickle.load', 'shelve.open'),
    *('pandas.read_pickle', 'torch.hub.load', 'torch.hub.load_state_dict_from_url'),
    *('torch.package.PackageImporter', 'torch.utils.model_zoo.load_url'),
    # They read pickles, too.
    *('mmengine.load', 'mmengine.fileio.load', 'mmcv.load'),
}
# Arguments that make a function unsafe, and those that are safe for them.
UNSAFE_ARGUMENTS = {
    'torch.load': dict(weights_only=(True,), pickle_module=()),
    'numpy.load': dict(allow_pickle=(False,)),
}
ALLOWED = [
    # With --allow-pickle.
    ('mmtemporal/checkpoints/files.py', 'torch.load(weights_only=False)'),
    # Restricted to what makes tensors, see test_clip_torchscript.py.
    ('mmtemporal/checkpoints/torchscript.py', 'pickle.Unpickler'),
    # Predictions and features that MMAction2's tools write as pickles, no checkpoints.
    ('mmtemporal/quickstart/results.py', 'mmengine.fileio.load'),
    ('tools/resize_features.py', 'mmengine.fileio.load'),
]


def unsafe_calls(source):
    """List calls, and other mentions, of functions that run what is in a file."""
    tree = ast.parse(source)
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition('.')[0]
                names[bound] = alias.name if alias.asname else bound
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f'{node.module}.{alias.name}'
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = dotted(node, names)
            if name in UNSAFE:
                found.append(name)
        if isinstance(node, ast.Call):
            name = dotted(node.func, names)
            arguments = UNSAFE_ARGUMENTS.get(name, {})
            for keyword in node.keywords:
                safe = arguments.get(keyword.arg)
                value = getattr(keyword.value, 'value', None)
                if safe is not None and value not in safe:
                    text = f'{keyword.arg}={ast.unparse(keyword.value)}'
                    found.append(f'{name}({text})')
    return found


def dotted(node, names):
    """Return the full name of what an expression refers to, or None."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, names)
        return owner and f'{owner}.{node.attr}'
    return None


def test_no_unsafe_loader():
    found, files = [], 0
    for folder in FOLDERS:
        for file in sorted((REPOSITORY / folder).rglob('*.py')):
            if '.mim' in file.parts:  # a link to what is read here
                continue
            files += 1
            place = file.relative_to(REPOSITORY).as_posix()
            found += [(place, call) for call in unsafe_calls(file.read_text('utf-8'))]
    assert files > 80
    assert sorted(found) == sorted(ALLOWED)


@pytest.mark.parametrize(
    ('source', 'call'),
    [
        ('import pickle\npickle.load(f)', 'pickle.load'),
        ('from pickle import loads as read\nread(b)', 'pickle.loads'),
        ('import yaml\nyaml.load(f, Loader)', 'yaml.load'),
        (
            'from torch.hub import load_state_dict_from_url as g\ng(u)',
            'torch.hub.load_s',
        ),
        ('from mmengine.fileio import load\nmap(load, f)', 'mmengine.fileio.load'),
        (
            'import torch\ntorch.load(f, weights_only=False)',
            'torch.load(weights_only=F',
        ),
        ('import torch as t\nt.load(f, weights_only=x)', 'torch.load(weights_only=x)'),
        ('import torch\ntorch.load(f, pickle_module=p)', 'torch.load(pickle_module=p)'),
        ('import numpy as np\nnp.load(f, allow_pickle=True)', 'numpy.load(allow_pick'),
        ('import torch\ntorch.load(f, weights_only=True)', None),
        ('import torch\ntorch.load(f)', None),  # safe by default, since 2.6
        ('import numpy as np\nnp.load(f)', None),
        ('import yaml\nyaml.safe_load(f)', None),
        ('import json\njson.load(f)', None),
    ],
)
def test_unsafe_loaders_are_found(source, call):
    found = unsafe_calls(source)
    assert found if call else not found
    assert not call or found[0].startswith(call)
