"""What the pages link to exists, and the examples in them run."""

import re

import pytest
from parity import CONFIGS

REPOSITORY = CONFIGS.parent
PAGES = [
    REPOSITORY / 'README.md',
    *sorted(REPOSITORY.glob('docs/*.md')),
    *sorted(CONFIGS.rglob('*.md')),
]
EXAMPLES = [
    pytest.param(code, id=f'{page.relative_to(REPOSITORY)}-{i}')
    for page in PAGES
    for i, code in enumerate(
        re.findall(r'```python\n(import torch\n.+?)```', page.read_text(), re.DOTALL)
    )
    if 'torch.load(' not in code  # which needs a file
]


@pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_links(page):
    links = re.findall(r'\]\(([^)#\s]+)', page.read_text())
    local = [link for link in links if not link.startswith('http')]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize('code', EXAMPLES)
def test_example_runs(code):
    exec(code, {})
