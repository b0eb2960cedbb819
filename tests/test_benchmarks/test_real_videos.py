"""Recipes for UTD-MHAD that can be compared, and the results of their runs."""

import math
import os

import numpy as np
import pytest
from made_up_results import ROWS, cells, make_row, results, table
from mmaction.registry import MODELS
from mmaction.utils import register_all_modules
from mmengine import Config
from parity import CONFIGS

from mmtemporal.datasets.utd_mhad import FLIP_LABEL_MAP
from mmtemporal.models.layers import TAM

CELLS, RECIPES, NETWORKS = cells.CELLS, cells.RECIPES, cells.NETWORKS


def test_every_method_has_a_recipe_in_every_network():
    paths = set(CONFIGS.rglob('*_utdmhad-*.py'))
    assert len(paths) == 18 and {cell.recipe for cell in RECIPES.values()} == paths
    assert {(cell.network, cell.method) for cell in RECIPES.values()} == {
        (network, method) for network in NETWORKS for method in cells.METHODS
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
    assert set(table.CHANGE_TITLES) == {c for cs in cells.CHANGES.values() for c in cs}
    frames = CELLS['tam-mobilenetv2-4-frames'].settings(0)
    assert frames.model.backbone.num_segments == 4
    for part in ('train', 'val', 'test'):
        pipeline = frames[f'{part}_dataloader'].dataset.pipeline
        assert [s.num_clips for s in pipeline if s.type == 'SampleFrames'] == [4]
    size = CELLS['tam-mobilenetv2-32x48-pixels'].settings(0)
    for part in ('train', 'val', 'test'):
        pipeline = size[f'{part}_dataloader'].dataset.pipeline
        assert [s.scale for s in pipeline if s.type == 'Resize'] == [(32, 48)]
    epochs = CELLS['tam-mobilenetv2-24-epochs'].settings(0)
    assert epochs.train_cfg.max_epochs == epochs.param_scheduler[-1].end == 24


def test_the_seed_alone_does_not_change_the_digest():
    cell = RECIPES['tsn-r18']
    first, second = cell.settings(0), cell.settings(1)
    assert (first.randomness.seed, second.randomness.seed) == (0, 1)
    second.randomness.seed = 0
    assert first.to_dict() == second.to_dict()


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


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (lambda text: 'a,b\n1,2\n', 'it has no column'),
        (lambda text: text[:-50], r'line 6 .* \(tam-mobilenetv2, seed 0\) .* columns'),
        (lambda text: text.replace('tsm-r18,2,', 'tsm-18,2,'), 'line 5 .* cell that'),
        (lambda text: text.replace('0.4000', '0,4000', 1), 'line 2 .* columns'),
        (lambda text: text.replace('0.4000', ''), 'line 2 .* wrong number'),
        (lambda text: text.replace('tsm-r18,1,', 'tsm-r18,one,'), "number: .*'one'"),
        (lambda text: text.replace('r18,2,', 'r18,0,'), 'line 5 .* twice; delete it'),
    ],
)
def test_damaged_results_are_refused(tmp_path, damage, message):
    path = tmp_path / 'results.csv'
    for row in ROWS:
        results.add_row(row, path)
    path.write_text(damage(path.read_text()))
    with pytest.raises(SystemExit, match=message):
        results.read_rows(path)


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / 'a.csv').write_bytes(b'\x89PNG')
    for path in (tmp_path, tmp_path / 'a.csv'):
        with pytest.raises(SystemExit, match='is no results file'):
            results.read_rows(path)


@pytest.mark.parametrize(
    'name', ['tam-mobilenetv2-layers-lr-x5', 'tam-r18-layers-lr-x10']
)
def test_a_rate_is_that_of_the_temporal_layers(name):
    cfg = CELLS[name].settings(0)
    ((key, _),) = cfg.optim_wrapper.paramwise_cfg.custom_keys.items()
    cfg.model.backbone.get('backbone', {}).pop('pretrained', None)
    register_all_modules()
    model = MODELS.build(cfg.model)
    layers = {
        f'{where}.{parameter}'
        for where, layer in model.named_modules()
        if isinstance(layer, TAM)
        for parameter, _ in layer.named_parameters()
    }
    # Keys are looked for anywhere in a name.
    assert layers == {n for n, _ in model.named_parameters() if key in n} != set()


def test_shipped_results_are_those_of_the_configs():
    for row in results.read_rows():
        assert row['settings'] == CELLS[row['cell']].digest, results.key(row)
