"""What the pages link to exists, and the examples in them run."""

import csv
import re

import pytest
from parity import CONFIGS

REPOSITORY = CONFIGS.parent
PAGES = [
    REPOSITORY / 'README.md',
    *sorted(REPOSITORY.glob('docs/**/*.md')),
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


def test_the_readme_is_short():
    assert len((REPOSITORY / 'README.md').read_text().splitlines()) <= 110


def test_pages_are_short():
    lengths = {page: len(page.read_text().splitlines()) for page in PAGES}
    assert [page for page, length in lengths.items() if length > 300] == []


@pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_rows_of_tables_are_whole(page):
    """A bar within a cell, also in code, is written with a backslash."""
    for block in page.read_text().split('\n\n'):
        lines = [line for line in block.splitlines() if line.startswith('|')]
        assert len({len(re.findall(r'(?<!\\)\|', line)) for line in lines}) <= 1, block


def rows(page):
    """Return the cells of a page's table rows, by what stands in their first one.

    Of rows that begin alike the first counts.
    """
    lines = (REPOSITORY / page).read_text().splitlines()
    cells = [line.strip('|').split('|') for line in lines if line.startswith('| ')]
    cells = [[cell.strip() for cell in row] for row in cells]
    return {re.split(r'[]`,]', row[0].strip('[`'))[0]: row[1:] for row in cells[::-1]}


def test_the_readme_repeats_what_was_measured():
    """Its table has top-1 on the motion clips, and times as ratios to TSN."""
    file = REPOSITORY / 'benchmarks/results/networks_cpu.csv'
    with file.open(newline='') as lines:
        times = {
            (row['network'], row['mode']): f'{float(row["ratio"]):.2f}'
            for row in csv.DictReader(lines)
            if row['implementation'] == 'ours' and row['setting'] == 'plain'
        }
    readme, clips = rows('README.md'), rows('docs/motion_clips.md')
    assert readme['TSN'][1] == clips['TSN'][0]
    for name in ('TANet', 'TIN', 'TDN', 'TAda2D'):
        _, top1, ratios, _ = readme[name]
        assert top1 == clips[name][0]
        assert ratios.split(', ') == [times[name, m] for m in ('inference', 'training')]
        (zoo,) = (CONFIGS / 'recognition' / name.lower()).glob('*.md')
        (row,) = (
            line for line in zoo.read_text().splitlines() if '| motion clips' in line
        )
        assert f'| motion clips | {top1} |' in row


@pytest.mark.parametrize(
    'page, title',
    [('docs/fine_tune.md', '## Few videos'), ('docs/utd_mhad.md', '### What does not')],
)
def test_advice_has_the_numbers_of_the_table(page, title):
    page_of_tables = (REPOSITORY / 'docs/utd_mhad.md').read_text()
    table = '\n'.join(re.findall(r'^\|.*\|$', page_of_tables, re.MULTILINE))
    (section,) = re.findall(
        rf'^{title}.*?(?=^{title.split()[0]} |\Z)',
        (REPOSITORY / page).read_text(),
        re.DOTALL | re.MULTILINE,
    )
    numbers = re.findall(r'(\d+\.\d)%', section)
    assert numbers
    assert [number for number in numbers if f' {number} ' not in table] == []
