"""Results on UTD-MHAD: recipes that can be compared, and what is made of the runs."""

import math
import os
import re
import sys

import numpy as np
import pytest
import yaml
from mmengine import Config
from parity import CONFIGS
from PIL import Image

REPOSITORY = CONFIGS.parent
sys.path.insert(0, str(REPOSITORY / 'benchmarks'))

import real_videos_picture  # noqa: E402
import real_videos_results as results  # noqa: E402
import real_videos_table as table  # noqa: E402
from real_videos_cells import CELLS, CHANGES, METHODS, NETWORKS, RECIPES  # noqa: E402

from mmtemporal.datasets.utd_mhad import FLIP_LABEL_MAP  # noqa: E402

FOLDERS = ('tanet', 'tin', 'tdn', 'tada2d', 'tsn', 'temporal_adapter')
KINDS = ('networks', 'changes', 'short', *(f'recipes {name}' for name in FOLDERS))
PAGES = [
    REPOSITORY / 'README.md',
    *(REPOSITORY / 'docs').rglob('*.md'),
    *CONFIGS.rglob('README.md'),
]


# ------------------------------------------------------------------- recipes


def test_every_method_has_a_recipe_in_every_network():
    paths = set(CONFIGS.rglob('*_utdmhad-*.py'))
    assert len(paths) == 18 and {cell.recipe for cell in RECIPES.values()} == paths
    assert {(cell.network, cell.method) for cell in RECIPES.values()} == {
        (network, method) for network in NETWORKS for method in METHODS
    }
    for cell in RECIPES.values():
        model = Config.fromfile(cell.recipe).model
        adapted = model.backbone.type == 'mmtemporal.TemporalAdapter'
        bare = cell.method == 'tsn' or (cell.network == 'r18' and cell.method != 'tsm')
        assert adapted != bare, cell.name


def without_sampling(pipeline):
    """Leave out what the recognizers need in different forms."""
    return [s for s in pipeline if 'Sample' not in s.type and s.type != 'FormatShape']


def test_no_method_is_favoured():
    settings = {}
    for name, cell in RECIPES.items():
        cfg = Config.fromfile(cell.recipe)
        for part in ('train', 'test'):
            loader = cfg[f'{part}_dataloader']
            (sampler,) = (s for s in loader.dataset.pipeline if 'Sample' in s.type)
            # Windows of five frames are counted by their number.
            frames = max(sampler.get('num_clips', 1), sampler.clip_len)
            assert frames == cfg.model.backbone.get('num_segments', 8) == 8, name
            loader.dataset.pipeline = without_sampling(loader.dataset.pipeline)
        flips = [s for s in cfg.train_dataloader.dataset.pipeline if s.type == 'Flip']
        assert [flip.flip_label_map for flip in flips] == [FLIP_LABEL_MAP], name
        assert cfg.model.cls_head.num_classes == 27
        settings[name] = dict(
            train=cfg.train_dataloader.to_dict(),
            test=cfg.test_dataloader.to_dict(),
            optimizer=cfg.optim_wrapper.to_dict(),
            schedule=cfg.param_scheduler,
            epochs=cfg.train_cfg.to_dict(),
            hooks=cfg.custom_hooks,
            dropout=cfg.model.cls_head.dropout_ratio,
            start=NETWORKS[cell.network].endswith('ImageNet')
            == ('imagenet-pretrained' in cell.recipe.name),
        )
    for name, values in settings.items():
        assert values == settings[f'tsn-{name.split("-")[1]}'], name


def test_a_change_changes_one_thing():
    digests = [cell.digest for cell in CELLS.values()]
    assert len(set(digests)) == len(digests)
    assert set(table.CHANGE_TITLES) == set(CHANGES)
    frames = CELLS['tam-mobilenetv2-16-frames'].settings(0)
    assert frames.model.backbone.num_segments == 16
    for part in ('train', 'val', 'test'):
        pipeline = frames[f'{part}_dataloader'].dataset.pipeline
        assert [s.num_clips for s in pipeline if s.type == 'SampleFrames'] == [16]
    size = CELLS['tam-mobilenetv2-64x96-pixels'].settings(0)
    for part in ('train', 'val', 'test'):
        pipeline = size[f'{part}_dataloader'].dataset.pipeline
        assert [s.scale for s in pipeline if s.type == 'Resize'] == [(64, 96)]
    epochs = CELLS['tam-mobilenetv2-24-epochs'].settings(0)
    assert epochs.train_cfg.max_epochs == epochs.param_scheduler[-1].end == 24


def test_the_seed_alone_does_not_change_the_digest():
    cell = RECIPES['tsn-r18']
    first, second = cell.settings(0), cell.settings(1)
    assert (first.randomness.seed, second.randomness.seed) == (0, 1)
    second.randomness.seed = 0
    assert first.to_dict() == second.to_dict()


# ------------------------------------------------------------------- results


def make_row(cell, seed, top1=0.5, pairs=0.75, seconds=200):
    accuracies = dict.fromkeys(results.ACCURACIES, '0.2500')
    accuracies |= dict(top1=f'{top1:.4f}', order_pairs=f'{pairs:.4f}')
    return {
        **dict(cell=cell, seed=str(seed), **accuracies, parameters='2260000'),
        **dict(training_cpu_seconds=str(seconds), settings=CELLS[cell].digest),
    }


ROWS = [
    make_row('tsn-r18', 0, 0.4, 0.5, 100),
    make_row('tsm-r18', 0, 0.5),
    make_row('tsm-r18', 1, 0.6, seconds=''),
    make_row('tsm-r18', 2, 0.7, seconds=250),
    make_row('tam-mobilenetv2', 0),
]


def test_a_choice_within_pairs_counts_these_two_scores():
    scores = np.array([[1, 2, 9], [2, 1, 9], [3, 5, 0], [4, 5, 1], [0, 0, 7]])
    labels = np.array([0, 0, 1, 1, 2])
    assert results.within_pairs(scores, labels, [(0, 1)]) == 3 / 4
    assert results.within_pairs(scores, labels, [(1, 2)]) == 3 / 3
    # Equal scores are no choice.
    assert results.within_pairs(np.ones((5, 3)), labels, [(0, 1)]) == 0


def test_summary_of_one_seed_and_of_three():
    summary = results.summarise(ROWS)
    assert summary['tsm-r18']['seeds'] == 3
    assert summary['tsm-r18']['top1'] == pytest.approx((0.6, 0.1))
    # A time that is not known is left out of the mean.
    assert summary['tsm-r18']['training_cpu_seconds'][0] == 225
    assert summary['tsn-r18']['seeds'] == 1
    mean, deviation = summary['tsn-r18']['top1']
    assert mean == 0.4 and math.isnan(deviation)


def test_a_line_is_added_where_it_belongs(tmp_path, monkeypatch):
    path = tmp_path / 'results.csv'
    for number in (4, 3, 0, 2, 1):
        results.add_row(ROWS[number], path)
    assert results.read_rows(path) == ROWS
    again = make_row('tsm-r18', 1, 0.9)
    results.add_row(again, path)
    assert results.read_rows(path) == [*ROWS[:2], again, *ROWS[3:]]
    before = path.read_bytes()

    def fail(*args):
        raise KeyboardInterrupt

    # Whatever interrupts it, the file is the old or the new one.
    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(KeyboardInterrupt):
        results.add_row(make_row('tin-r18', 0), path)
    assert path.read_bytes() == before


# -------------------------------------------------------------------- tables


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
    recipe = cells_of(changes, '[as the recipe has it](')
    assert recipe[1] == '50.0' and recipe[-2:] == ['–', '1']  # no TSN to compare with
    assert cells_of(changes, '24 epochs')[1:] == ['–'] * 9 + ['0']
    assert cells_of(short, 'TSM')[1:3] == ['60.0 ± 10.0', '75.0 ± 0.0']
    assert cells_of(short, 'TSM')[-1] == '3, 0, 0'
    for link in re.findall(r'\]\(([^)]+)\)', text):
        assert (page.parent / link).is_file(), link
    listed = re.findall(r'\| \[(\S+_utdmhad-depth)\]', ''.join(recipes))
    assert sorted(listed) == sorted(cell.recipe.stem for cell in RECIPES.values())


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
    other = '  # Another.\n  - Name: other\n    Results:\n      - Dataset: A\n\n'
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


# ------------------------------------------------------------------- picture


def test_picture_shows_every_seed(tmp_path):
    real_videos_picture.draw(ROWS, tmp_path / 'picture.png')
    with Image.open(tmp_path / 'picture.png') as image:
        width, height = image.size
        assert 1200 < width < 1600 and 900 < height < 1300
        assert len(np.unique(np.asarray(image.convert('L')))) > 50
        assert image.text['Source'] == real_videos_picture.source_of(ROWS)
    figure = real_videos_picture.make_figure(ROWS)
    axes = [axis for part in figure.subfigs for axis in part.axes]
    dots = [sum(len(c.get_offsets()) for c in a.collections[-5:]) for a in axes]
    assert len(axes) == 6 and dots
    empty = [sum(t.get_text() == 'no run yet' for t in axis.texts) for axis in axes]
    assert empty == [4, 5, 6] * 2


# ------------------------------------------------------------ what is shipped


def test_shipped_results_are_those_of_the_configs():
    for row in results.read_rows():
        assert row['settings'] == CELLS[row['cell']].digest, results.key(row)


def test_shipped_pages_and_picture_are_those_of_the_results():
    rows = results.read_rows()
    summary, kinds = results.summarise(rows), []
    for page in PAGES:
        text = page.read_text()
        blocks = [match[2].strip() for match in table.BLOCK.finditer(text)]
        kinds += blocks
        assert not rows or not blocks or table.fill(page, summary) == text, page
    picture = results.FILE.with_suffix('.png')
    assert picture.exists() == bool(rows)
    if rows:
        assert sorted(kinds) == sorted(KINDS)
        with Image.open(picture) as image:
            assert image.text['Source'] == real_videos_picture.source_of(rows)
        for folder in FOLDERS:
            text = table.metafile_of(folder).read_text()
            assert table.fill_metafile(folder, summary) == text
