"""Tables and the picture of the results on UTD-MHAD, made up and shipped."""

import re
import sys

import numpy as np
import pytest
import yaml
from made_up_results import ROWS, cells, make_row, picture, results, table
from matplotlib.collections import PathCollection
from parity import CONFIGS
from PIL import Image

REPOSITORY = CONFIGS.parent
CELLS, RECIPES = cells.CELLS, cells.RECIPES
FOLDERS = ('tanet', 'tin', 'tdn', 'tada2d', 'tsn', 'temporal_adapter')
KINDS = ('networks', 'changes', 'short', *(f'recipes {name}' for name in FOLDERS))
PAGES = [
    REPOSITORY / 'README.md',
    *(REPOSITORY / 'docs').rglob('*.md'),
    *CONFIGS.rglob('README.md'),
]


def cells_of(text, start):
    """Return the cells of the one row that begins so."""
    (line,) = (line for line in text.splitlines() if line.startswith(f'| {start}'))
    return [cell.strip() for cell in line.strip('|').split('|')]


@pytest.fixture
def page(tmp_path):
    path = tmp_path / 'page.md'
    blocks = (f'<!-- utd_mhad {kind} -->\nold\n<!-- end -->\n' for kind in KINDS)
    path.write_text('# Title\n\n' + '\nBetween.\n\n'.join(blocks) + '\nAfter.\n')
    return path


def test_tables_are_filled(page):
    summary = results.summarise(ROWS)
    text = table.fill(page, summary)
    page.write_text(text)
    assert table.fill(page, summary) == text
    assert text.startswith('# Title\n\n<!-- utd_mhad networks -->\n')
    assert text.endswith('<!-- end -->\n\nAfter.\n')
    assert 'old' not in text and text.count('Between.') == len(KINDS) - 1
    networks, changes, short, *recipes = (m[0] for m in table.BLOCK.finditer(text))
    tsm = cells_of(networks.partition('MobileNetV2')[0], '[TSM](')
    assert tsm[1:] == '60.0 ± 10.0,25.0 ± 0.0,75.0 ± 0.0,25.0 ± 0.0,25.0 ± 0.0,' \
        '25.0 ± 0.0,25.0 ± 0.0,2.26 M,2.25,3'.split(',')  # fmt: skip
    assert cells_of(networks, '[TAM (TANet)](')[1:] == ['–'] * 9 + ['0']
    assert networks.count("[TDN's long-term module](") == 2
    assert '**5 of 54 runs are done so far.**' in networks
    changes = changes.partition("TDN's long-term module")[0]
    recipe = cells_of(changes, '[as the recipe has it](')
    assert recipe[1] == '50.0' and recipe[-2:] == ['–', '1']  # no TSN to compare with
    assert cells_of(changes, '24 epochs')[1:] == ['–'] * 9 + ['0']
    assert cells_of(short, 'TSM')[1:3] == ['60.0 ± 10.0', '75.0 ± 0.0']
    assert cells_of(short, 'TSM')[-1] == '3, 0, 0'
    for link in re.findall(r'\]\(([^)]+)\)', text):
        assert (page.parent / link).is_file(), link
    listed = re.findall(r'\| \[(\S+_utdmhad-depth)\]', ''.join(recipes))
    assert sorted(listed) == sorted(cell.recipe.stem for cell in RECIPES.values())


@pytest.mark.parametrize(
    ('kind', 'message'),
    [
        ('netwrks', 'has netwrks between .* KIND is one of networks, changes, short'),
        ('recipes', 'has recipes between .*, recipes tada2d, '),
        ('recipes nothing', 'has recipes nothing between'),
    ],
)
def test_other_pages_are_refused(page, kind, message):
    page.write_text(f'<!-- utd_mhad {kind} -->\n<!-- end -->\n')
    with pytest.raises(SystemExit, match=message):
        table.fill(page, {})
    page.write_text('# Title\n')
    with pytest.raises(SystemExit, match=r'page\.md has nothing between'):
        table.fill(page, {})


def test_own_results_go_into_an_own_page(tmp_path, monkeypatch, capsys):
    page, mine = tmp_path / 'mine.md', tmp_path / 'mine.csv'
    page.write_text('<!-- utd_mhad short -->\n<!-- end -->\n')
    arguments = ['real_videos_table.py', '--results', str(mine), str(page)]
    monkeypatch.setattr(sys, 'argv', arguments)
    with pytest.raises(SystemExit):
        table.main()
    assert 'mine.csv is no file' in capsys.readouterr().err
    for row in ROWS:
        results.add_row(row, mine)
    table.main()
    assert cells_of(page.read_text(), 'TSM')[1:3] == ['60.0 ± 10.0', '75.0 ± 0.0']


def test_complete_results_say_so(page):
    rows = [make_row(cell, seed) for cell in CELLS for seed in range(3)]
    text = table.fill(page, results.summarise(rows))
    assert 'so far' not in text and '–' not in text
    assert cells_of(text, 'TSM')[-1] == '3'


def test_sizes_and_accuracy_are_in_the_metafile(page, monkeypatch, tmp_path):
    cell = RECIPES['tsm-r18']
    entry = f"""\
  - Name: {cell.recipe.stem}
    Metadata:
      Architecture: ResNet18
      FLOPs: 1234567890
      Parameters: 11190000
      Pretrained: None
    Results: []
"""
    other = (
        '  # Another.\n  - Name: other\n    Metadata: {}\n'
        '    Results:\n      - Dataset: A\n\n'
    )
    metafile = tmp_path / 'temporal_adapter' / 'metafile.yml'
    metafile.parent.mkdir()
    metafile.write_text(f'Models:\n{other}{entry}\n{other}')
    monkeypatch.setattr(table, 'RECOGNITION', tmp_path)
    monkeypatch.setattr(table, 'RECIPES', {'tsm-r18': cell})
    summary = results.summarise(ROWS)
    row = table.make_recipes(summary, page, 'temporal_adapter')[2]
    assert cells_of(row, '[')[1:] == [
        *('ResNet18', 'none', '60.0 ± 10.0', '75.0 ± 0.0', '1.235 G', '11.19 M', '3'),
    ]
    text = table.fill_metafile('temporal_adapter', summary)
    (result,) = yaml.safe_load(text)['Models'][1]['Results']
    assert result == {
        'Dataset': 'UTD-MHAD',
        'Metrics': {'Top 1 Accuracy': 60.0},
        'Task': 'Action Recognition',
    }
    head, _, tail = text.partition(entry.replace(' []\n', '\n'))
    assert head == f'Models:\n{other}' and tail.endswith(f'Recognition\n\n{other}')
    metafile.write_text(text)
    assert table.fill_metafile('temporal_adapter', summary) == text
    assert table.fill_metafile('temporal_adapter', {}).count('Results: []') == 1
    metafile.write_text(f'Models:\n{other}')
    with pytest.raises(SystemExit, match='has 0 entries with Results for tsm_'):
        table.fill_metafile('temporal_adapter', summary)


def count_dots(axis):
    dots = [c for c in axis.collections if isinstance(c, PathCollection)]
    return sum(len(c.get_offsets()) for c in dots)


def test_picture_shows_every_seed(tmp_path):
    path = tmp_path / 'picture.png'
    picture.draw(ROWS, path)
    with Image.open(path) as image:
        width, height = image.size
        assert 1200 < width < 1600 and 900 < height < 1300
        assert len(np.unique(np.asarray(image.convert('L')))) > 50
        assert image.text['Source'] == picture.source_of(ROWS)
    figure = picture.make_figure(ROWS)
    axes = [axis for part in figure.subfigs for axis in part.axes]
    assert [count_dots(axis) for axis in axes] == [2 * 4, 2 * 1, 0, 3 * 4, 3 * 1, 0]
    empty = [sum(t.get_text() == 'no run yet' for t in axis.texts) for axis in axes]
    assert empty == [4, 5, 6] * 2


def test_shipped_pages_and_picture_are_those_of_the_results():
    rows = results.read_rows()
    summary, kinds = results.summarise(rows), []
    for page in PAGES:
        text = page.read_text()
        blocks = [match[2].strip() for match in table.BLOCK.finditer(text)]
        kinds += blocks
        assert not rows or not blocks or table.fill(page, summary) == text, page
    drawn = results.FILE.with_suffix('.png')
    assert drawn.exists() == bool(rows)
    if rows:
        assert sorted(kinds) == sorted(KINDS)
        with Image.open(drawn) as image:
            assert image.text['Source'] == picture.source_of(rows)
        for folder in FOLDERS:
            text = table.metafile_of(folder).read_text()
            assert table.fill_metafile(folder, summary) == text
