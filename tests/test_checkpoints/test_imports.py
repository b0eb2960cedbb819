"""Checkpoints are state dicts here: networks ask for them, never the other way."""

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / 'mmtemporal' / 'checkpoints'


@pytest.mark.parametrize('file', sorted(FOLDER.glob('*.py')), ids=lambda f: f.stem)
def test_no_network_is_imported(file):
    imported = set()
    for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add(f'{"." * node.level}{node.module or ""}')
    networks = ('mmtemporal.models', 'mmaction.models', '..models', 'torchvision')
    assert imported
    assert not [name for name in imported if name.startswith(networks)]
