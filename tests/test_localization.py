"""From untrimmed videos to proposals: features, tables, and a stock BMN."""

import importlib.util
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from decord import VideoReader
from mmaction.apis import init_recognizer
from mmaction.datasets.transforms import LoadLocalizationFeature
from mmengine import Config, dump, load
from parity import CONFIGS
from stock_config import logged, run_tool, train_records
from torch import nn

from mmtemporal.checkpoints.publish import publish_checkpoint
from mmtemporal.datasets.untrimmed_clips import make_untrimmed_clips

LOCALIZATION = CONFIGS / 'localization'
BMN = sorted((LOCALIZATION / 'bmn').glob('*.py'))
FEATURES = sorted((LOCALIZATION / 'features').glob('*.py'))
# algorithm _ features _ gpus x batch - channels x rows - epochs _ data
GRAMMAR = re.compile(
    r'bmn_[a-z0-9-]+_(\d+)xb(\d+)-(\d+)x(\d+)-(\d+)e_[a-z0-9]+-feature'
)
ROWS = 20
NUM_TRAIN, NUM_VAL = 4, 2


@pytest.fixture
def run_resize(monkeypatch):
    path = CONFIGS.parent / 'tools' / 'resize_features.py'
    spec = importlib.util.spec_from_file_location('resize_features_tool', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*arguments):
        monkeypatch.setattr('sys.argv', [path.name, *map(str, arguments)])
        tool.main()

    return run


def read_table(path):
    """Read a table as BMN's pipeline does, without the transposition."""
    results = LoadLocalizationFeature().transform(dict(feature_path=str(path)))
    return results['raw_feature'].T


# ---------------------------------------------------------------------- configs


@pytest.mark.parametrize('path', BMN, ids=lambda path: path.stem)
def test_bmn_config(path, tmp_path):
    gpus, batch, channels, rows, epochs = map(
        int, GRAMMAR.fullmatch(path.stem).groups()
    )
    cfg = Config.fromfile(path)
    assert 'mmtemporal' in cfg.custom_imports.imports
    assert (cfg.model.feat_dim, cfg.model.temporal_dim) == (channels, rows)
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.auto_scale_lr.base_batch_size == gpus * batch
    assert cfg.train_cfg.max_epochs == epochs
    assert cfg.param_scheduler[-1].end == epochs
    assert cfg.work_dir == f'work_dirs/{path.stem}'
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        assert evaluator.dump_config.out == f'{cfg.work_dir}/results.json'
    folders = {
        cfg[f'{split}_dataloader'].dataset.data_prefix.video
        for split in ('train', 'val', 'test')
    }
    assert len(folders) == 1
    cfg.dump(tmp_path / 'config.py')
    assert Config.fromfile(tmp_path / 'config.py').to_dict() == cfg.to_dict()


@pytest.mark.parametrize('path', FEATURES, ids=lambda path: path.stem)
def test_feature_config(path):
    cfg = Config.fromfile(path)
    assert cfg.test_dataloader.dataset.pipeline == cfg.test_pipeline
    (sampler,) = (s for s in cfg.test_pipeline if s.type == 'UntrimmedSampleFrames')
    assert sampler.clip_len == cfg.model.backbone.num_segments
    # Several crops would become several rows.
    assert not any(step.type in ('ThreeCrop', 'TenCrop') for step in cfg.test_pipeline)
    tables = {
        cfg_bmn.model.feat_dim
        for cfg_bmn in map(Config.fromfile, BMN)
        if path.stem.split('_')[0] in cfg_bmn.work_dir
    }
    assert tables == {cfg.model.cls_head.in_channels}


def test_metafile():
    content = yaml.safe_load((LOCALIZATION / 'bmn' / 'metafile.yml').read_text())
    (collection,) = content['Collections']
    page = (CONFIGS.parent / collection['README']).read_text()
    listed = [entry['Config'] for entry in content['Models']]
    assert sorted(listed) == [str(path.relative_to(CONFIGS.parent)) for path in BMN]
    for entry in content['Models']:
        name, metadata = entry['Name'], entry['Metadata']
        assert entry['In Collection'] == collection['Name']
        assert Path(entry['Config']).stem == name
        assert f'({name}.py)' in page
        cfg = Config.fromfile(CONFIGS.parent / entry['Config'])
        assert metadata['Batch Size'] == cfg.train_dataloader.batch_size
        assert metadata['Epochs'] == cfg.train_cfg.max_epochs
        for result in entry.get('Results', []):
            for metric in result['Metrics'].values():
                assert f'{metric:.2f}' in page


# ----------------------------------------------------------------------- tables


def resized(run_resize, tmp_path, windows, rows):
    dump(torch.as_tensor(windows), str(tmp_path / 'v_a.mp4.pkl'))
    run_resize(tmp_path, tmp_path / 'out', '--rows', rows)
    (table,) = (tmp_path / 'out').iterdir()
    assert table.name == 'v_a.csv'
    return read_table(table)


def test_as_many_rows_as_windows(run_resize, tmp_path):
    windows = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    table = resized(run_resize, tmp_path, windows, 7)
    np.testing.assert_allclose(table, windows, rtol=1e-5)


@pytest.mark.parametrize('rows', [20, 33, 60, 100, 150])
@pytest.mark.parametrize('windows', [20, 45, 60, 61, 300])
def test_times_are_kept(run_resize, tmp_path, windows, rows):
    """The features are functions of time: straight lines, but for the ends."""
    times = (np.arange(windows) + 0.5) / windows
    table = resized(run_resize, tmp_path, np.stack([times, 1 - 3 * times], 1), rows)
    assert table.shape == (rows, 2)
    expected = (np.arange(rows) + 0.5) / rows
    # Averages over less than a whole neighbourhood.
    step = max(1 / rows, 1 / windows)
    inner = (expected > 1.5 * step) & (expected < 1 - 1.5 * step)
    # At both ends of an average, windows count as wholes.
    exact = windows <= rows or windows % rows == 0
    tolerance = 1e-5 if exact else 0.2 / windows
    np.testing.assert_allclose(table[inner, 0], expected[inner], atol=tolerance)
    np.testing.assert_allclose(table[:, 1], 1 - 3 * table[:, 0], atol=1e-4)
    assert (np.abs(table[:, 0] - expected) <= 0.51 * step).all()


def test_no_window_is_left_out(run_resize, tmp_path):
    """Each adds to some row when there are more windows than rows."""
    table = resized(run_resize, tmp_path, np.eye(50, dtype=np.float32), 8)
    assert table.sum(0).min() > 0.1
    np.testing.assert_allclose(table.sum(1), 1, rtol=1e-4)


def test_one_window(run_resize, tmp_path):
    table = resized(run_resize, tmp_path, [[1.0, 2.0]], 4)
    np.testing.assert_array_equal(table, [[1, 2]] * 4)


def test_tables_stay_and_only_missing_ones_are_written(run_resize, tmp_path, capsys):
    for name in ('v_a.mp4', 'v_b.x', 'v_c'):
        dump(torch.ones(2, 3), str(tmp_path / f'{name}.pkl'))
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'v_a.csv').write_text('mine')
    run_resize(tmp_path, out)
    assert (out / 'v_a.csv').read_text() == 'mine'
    assert {p.name for p in out.iterdir()} == {'v_a.csv', 'v_b.x.csv', 'v_c.csv'}
    assert read_table(out / 'v_c.csv').shape == (100, 3)
    assert '2 tables of 100 rows' in capsys.readouterr().out


@pytest.mark.parametrize(
    'content', [torch.ones(3), torch.ones(0, 3), torch.full((2, 3), float('nan'))]
)
def test_bad_features(run_resize, tmp_path, content):
    dump(content, str(tmp_path / 'v_a.pkl'))
    with pytest.raises(SystemExit, match='error: .*v_a.pkl holds'):
        run_resize(tmp_path, tmp_path / 'out')
    assert not any((tmp_path / 'out').iterdir())


def test_bad_arguments(run_resize, tmp_path):
    with pytest.raises(SystemExit, match='error: .*no .pkl files'):
        run_resize(tmp_path, tmp_path / 'out')
    with pytest.raises(SystemExit):
        run_resize(tmp_path, tmp_path / 'out', '--rows', 0)
    assert [*tmp_path.iterdir()] == []


# ------------------------------------------------------------------- end to end


@pytest.fixture(scope='module')
def extracted(tmp_path_factory):
    """Videos, a network with random weights, and what the stock tool writes."""
    folder = tmp_path_factory.mktemp('localization')
    data = make_untrimmed_clips(folder / 'data', NUM_TRAIN, NUM_VAL, size=32)
    cfg = Config.fromfile(LOCALIZATION / 'features' / 'tada2d-r18_motionclips.py')
    loader = cfg.test_dataloader
    loader.num_workers, loader.persistent_workers = 0, False
    loader.dataset.ann_file = str(data / 'videos.txt')
    loader.dataset.data_prefix = dict(video=str(data / 'videos'))
    cfg.dump(folder / 'features.py')
    torch.manual_seed(0)
    model = init_recognizer(cfg, device='cpu')
    for name, parameter in model.named_parameters():
        if 'routing' in name or 'aggregation' in name:
            nn.init.normal_(parameter, std=0.1)
    torch.save(dict(state_dict=model.state_dict()), folder / 'model.pth')
    run_tool(
        *('clip_feature_extraction', folder / 'features.py', folder / 'model.pth'),
        *(folder / 'windows', '--long-video-mode'),
    )
    return SimpleNamespace(
        data=data, cfg=cfg, model=model, windows=folder / 'windows', folder=folder
    )


@pytest.mark.slow
def test_stock_tool_extracts_features_of_sliding_windows(extracted):
    """Spatial and temporal means of the backbone's output, window by window."""
    annotations = load(extracted.data / 'train.json')
    assert len([*extracted.windows.glob('*.pkl')]) == NUM_TRAIN + NUM_VAL
    for name, annotation in [*annotations.items()][:2]:
        features = load(extracted.windows / f'{name}.mp4.pkl')
        num_frames = annotation['duration_frame']
        assert features.shape == (len(range(2, num_frames, 4)), 512)
        # Two in a batch that the tool computed 32 windows at a time.
        for window in (0, len(features) - 1):
            inds = 2 + 4 * window + 3 * np.arange(-4, 4)
            frames = VideoReader(str(extracted.data / 'videos' / f'{name}.mp4'))
            clip = frames.get_batch(np.clip(inds, 0, num_frames - 1)).asnumpy()
            clip = torch.from_numpy(clip).float().permute(3, 0, 1, 2)[None]
            preprocessor = extracted.cfg.model.data_preprocessor
            clip = (clip - preprocessor.mean[0]) / preprocessor.std[0]
            with torch.no_grad():
                expected = extracted.model.backbone(clip).mean((2, 3, 4))[0]
            torch.testing.assert_close(features[window], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_bmn_trains_and_tests(extracted, run_resize):
    run_resize(extracted.windows, extracted.folder / 'tables', '--rows', ROWS)
    (path,) = (path for path in BMN if 'untrimmedclips' in path.stem)
    cfg = Config.fromfile(path)
    work_dir = extracted.folder / 'work'
    cfg.model.temporal_dim = ROWS
    cfg.train_cfg.max_epochs = 3
    cfg.default_hooks.logger.interval = 1
    cfg.train_dataloader.batch_size = 2
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.num_workers, loader.persistent_workers = 0, False
        name = 'train' if split == 'train' else 'val'
        loader.dataset.ann_file = str(extracted.data / f'{name}.json')
        loader.dataset.data_prefix.video = str(extracted.folder / 'tables')
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.dump_config.out = str(work_dir / 'results.json')
    cfg.dump(extracted.folder / 'bmn.py')
    run_tool('train', extracted.folder / 'bmn.py', '--work-dir', work_dir)

    losses = [record['loss'] for record in train_records(work_dir)]
    assert len(losses) == 3 * NUM_TRAIN // 2
    assert np.isfinite(losses).all() and np.mean(losses[-2:]) < np.mean(losses[:2])
    trained = [record for record in logged(work_dir) if 'auc' in record][-1]

    run_tool(
        *('test', extracted.folder / 'bmn.py', work_dir / 'epoch_3.pth'),
        *('--work-dir', work_dir / 'test'),
    )
    (file,) = (work_dir / 'test').glob('*/*.json')
    tested = json.loads(file.read_text())
    for name in ('auc', 'AR@1', 'AR@5', 'AR@10', 'AR@100'):
        assert 0 <= tested[name] <= (100 if name == 'auc' else 1)
        assert tested[name] == pytest.approx(trained[name])
    proposals = load(work_dir / 'results.json')['results']
    assert proposals.keys() == {f'val_{i:06d}' for i in range(NUM_VAL)}
    assert all(0 < len(found) <= 100 for found in proposals.values())

    published = publish_checkpoint(
        work_dir / 'epoch_3.pth', extracted.folder / 'bmn.py', work_dir / 'published'
    )
    assert published.shape == (512, ROWS) and published.flops is None
