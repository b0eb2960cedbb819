"""Recipes show what differs: they are short, and share what they have in common."""

import ast
from functools import cache
from statistics import median

import pytest
from parity import CONFIGS

CONFIG_FILES = sorted(p for p in CONFIGS.rglob('*.py') if '_base_' not in p.parts)
RECIPES = [path for path in CONFIG_FILES if CONFIGS / 'recognition' in path.parents]
PIPELINES = sorted((CONFIGS / '_base_' / 'pipelines').glob('*.py'))


def relative(path):
    return path.relative_to(CONFIGS).as_posix()


@cache
def bases_of(path):
    """Return the files that a config names as its bases."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '_base_':
            bases = ast.literal_eval(node.value)
            bases = [bases] if isinstance(bases, str) else bases
            return [(path.parent / base).resolve() for base in bases]
    return []


def levels(path):
    return max((1 + levels(base) for base in bases_of(path)), default=0)


def inherits(path, base):
    return any(found == base or inherits(found, base) for found in bases_of(path))


def test_recipes_are_short():
    lines = {
        path: sum(bool(line.strip()) for line in path.read_text().splitlines())
        for path in CONFIG_FILES
    }
    assert median(lines[path] for path in RECIPES) <= 15
    assert not {relative(path): n for path, n in lines.items() if n > 60}


@pytest.mark.parametrize('path', CONFIG_FILES, ids=relative)
def test_at_most_three_levels_of_inheritance(path):
    assert 1 <= levels(path) <= 3


@pytest.mark.parametrize('base', PIPELINES, ids=relative)
def test_a_shared_pipeline_is_shared(base):
    users = [path for path in CONFIG_FILES if inherits(path, base.resolve())]
    assert len(users) >= 2
