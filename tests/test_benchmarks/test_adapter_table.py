"""The table of what temporal layers add to backbones is what the tool computes."""

from pathlib import Path

import pytest
from backbone_libraries import import_or_skip
from mmengine import Config
from parity import CONFIGS

REPOSITORY = CONFIGS.parent
PAGE = REPOSITORY / 'docs' / 'any_backbone.md'
FOLDER = CONFIGS / 'recognition/temporal_adapter'
RECIPES = sorted(FOLDER.glob('*_kinetics400-rgb.py'))


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / 'benchmarks')
    import adapter_table

    return adapter_table


def rows(tool, page):
    """Return the rows of the table in a page, without its head."""
    (block,) = tool.BLOCK.finditer(page.read_text())
    lines = [line for line in block[0].splitlines() if line.startswith('|')]
    assert lines[:2] == tool.HEAD
    return lines[2:]


@pytest.mark.parametrize(
    'number, path',
    [
        pytest.param(*row, marks=[pytest.mark.slow] if row[0] else [])
        for row in enumerate(RECIPES)
    ],
    ids=lambda x: Path(str(x)).stem,
)
def test_row(tool, number, path):
    if Config.fromfile(path).model.backbone.backbone.type.startswith('torchvision.'):
        import_or_skip('torchvision')
    table = rows(tool, PAGE)
    assert len(table) == len(RECIPES)
    assert table[number] == tool.make_row(path, PAGE)


def test_fills_a_page(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, 'make_row', lambda config, page: f'| {config.stem} |')
    page = tmp_path / 'page.md'
    page.write_text('Before.\n\n<!-- adapter table -->\nold\n<!-- end -->\n\nAfter.\n')
    page.write_text(tool.fill(page))
    assert rows(tool, page) == [f'| {path.stem} |' for path in RECIPES]
    text = page.read_text()
    assert text.startswith('Before.\n') and text.endswith('<!-- end -->\n\nAfter.\n')
    assert 'old' not in text
    assert tool.fill(page) == text
