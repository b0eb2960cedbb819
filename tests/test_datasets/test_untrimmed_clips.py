"""The untrimmed clips: where something moves, and what the files hold."""

import importlib.util
import json
from pathlib import Path

import decord
import numpy as np
import pytest
from mmaction.datasets import ActivityNetDataset

from mmtemporal.datasets import CLASS_NAMES, draw_clip, untrimmed_clips
from mmtemporal.datasets.untrimmed_clips import (
    draw_untrimmed_clip,
    make_untrimmed_clips,
)

TOOL = Path(__file__).parents[2] / 'tools' / 'make_untrimmed_clips.py'
SMALL = dict(num_train=3, num_val=2, size=32, seed=5)


@pytest.fixture(scope='module')
def small_set(tmp_path_factory):
    return make_untrimmed_clips(tmp_path_factory.mktemp('clips') / 'set', **SMALL)


def files(root):
    return {p.relative_to(root): p for p in root.rglob('*') if p.is_file()}


def read_video(path):
    reader = decord.VideoReader(str(path), num_threads=1)
    return reader.get_batch(range(len(reader))).asnumpy()[..., ::-1]


def test_something_moves_in_the_segments_and_nowhere_else():
    labels, numbers = set(), set()
    for index in range(40):
        frames, segments = draw_untrimmed_clip(0, 'train', index, size=32)
        changed = (frames[1:] != frames[:-1]).any(axis=(1, 2, 3))
        assert all(16 <= s.first and 24 <= s.end - s.first <= 72 for s in segments)
        assert segments[-1].end + 16 <= len(frames)
        assert all(a.end + 32 <= b.first for a, b in zip(segments, segments[1:]))
        in_segment = np.zeros_like(changed)
        for segment in segments:
            steps = slice(segment.first, segment.end - 1)
            in_segment[steps] = True
            # Slow motions leave some frames as they are.
            assert changed[steps].mean() > 0.5
            assert changed[steps][:3].any() and changed[steps][-3:].any()
            labels.add(segment.label)
        # What changes while nothing moves is the cut between two scenes.
        assert (changed & ~in_segment).sum() == len(segments) - 1
        numbers.add(len(segments))
    assert labels == set(range(8)) and numbers == {1, 2, 3}


def test_scenes_differ():
    keys = [(0, 'train', 0), (1, 'train', 0), (0, 'val', 0), (0, 'train', 1)]
    first = {draw_untrimmed_clip(*key, size=32)[0][0].tobytes() for key in keys}
    assert len(first) == len(keys)
    known = {draw_clip(0, 'train', i, size=32)[0][0].tobytes() for i in range(16)}
    assert not first & known


@pytest.mark.parametrize('num_workers', [1, 2])
def test_same_seed_gives_the_same_set(small_set, tmp_path, num_workers):
    other = make_untrimmed_clips(tmp_path / 'set', num_workers=num_workers, **SMALL)
    assert files(other).keys() == files(small_set).keys()
    for name, file in files(other).items():
        if file.suffix == '.mp4':
            np.testing.assert_array_equal(
                read_video(file), read_video(small_set / name)
            )
        else:
            assert file.read_bytes() == (small_set / name).read_bytes()


@pytest.mark.parametrize('split', ['train', 'val'])
def test_files_hold_what_was_drawn(small_set, split):
    annotations = json.loads((small_set / f'{split}.json').read_text())
    assert list(annotations) == [f'v_{split}_{i:06d}' for i in range(len(annotations))]
    assert len(annotations) == SMALL[f'num_{split}']
    for index, (name, annotation) in enumerate(annotations.items()):
        drawn, segments = draw_untrimmed_clip(5, split, index, size=32)
        frames = read_video(small_set / 'videos' / f'{name}.mp4')
        np.testing.assert_array_equal(frames, drawn)
        rate = annotation['fps']
        assert annotation['duration_frame'] == annotation['feature_frame'] == len(drawn)
        assert annotation['duration_second'] * rate == len(drawn)
        assert len(annotation['annotations']) == len(segments)
        for item, segment in zip(annotation['annotations'], segments):
            first, end = (round(second * rate, 6) for second in item['segment'])
            assert (first, end) == segment[:2]
            assert item['label'] == CLASS_NAMES[segment.label]


def test_list_of_all_videos(small_set):
    lines = (small_set / 'videos.txt').read_text().splitlines()
    videos = sorted(path.name for path in (small_set / 'videos').iterdir())
    assert sorted(lines) == [f'{name} 0' for name in videos]


def test_stock_dataset_reads_the_annotations(small_set):
    dataset = ActivityNetDataset(
        str(small_set / 'val.json'), [], dict(video='somewhere')
    )
    assert len(dataset) == 2
    info = dataset.get_data_info(1)
    assert info['feature_path'] == 'somewhere/v_val_000001.csv'


def test_same_set_is_reused_and_other_files_stay(small_set):
    (small_set / 'features').mkdir(exist_ok=True)
    (small_set / 'features' / 'mine.csv').write_text('mine')
    before = {p: p.stat().st_mtime_ns for p in small_set.rglob('*')}
    assert make_untrimmed_clips(small_set, **SMALL) == small_set
    assert before == {p: p.stat().st_mtime_ns for p in small_set.rglob('*')}
    (small_set / 'features' / 'mine.csv').unlink()
    (small_set / 'features').rmdir()


def test_something_else_is_never_touched(small_set, tmp_path):
    with pytest.raises(FileExistsError, match='holds something else'):
        make_untrimmed_clips(small_set, **{**SMALL, 'seed': 6})
    (tmp_path / 'thesis.txt').write_text('mine')
    for root in (tmp_path, tmp_path / 'thesis.txt'):
        with pytest.raises(FileExistsError, match='holds something else'):
            make_untrimmed_clips(root, **SMALL)
    assert [*tmp_path.iterdir()] == [tmp_path / 'thesis.txt']


def test_missing_video_is_noticed(tmp_path):
    root = make_untrimmed_clips(tmp_path / 'set', **{**SMALL, 'num_train': 1})
    (root / 'videos' / 'v_val_000001.mp4').unlink()
    with pytest.raises(FileExistsError, match='lacks some'):
        make_untrimmed_clips(root, **{**SMALL, 'num_train': 1})


def test_interruption_leaves_nothing(tmp_path, monkeypatch):
    def draw(*args):
        if list(tmp_path.rglob('*.mp4')):
            raise KeyboardInterrupt
        return draw_untrimmed_clip(*args)

    monkeypatch.setattr(untrimmed_clips, 'draw_untrimmed_clip', draw)
    with pytest.raises(KeyboardInterrupt):
        make_untrimmed_clips(tmp_path / 'set', **SMALL)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (dict(num_train=0), ValueError, 'num_train=0'),
        (dict(num_val=0), ValueError, 'num_val=0'),
        (dict(size=33), ValueError, 'size=33'),
        (dict(seed=-1), ValueError, 'seed=-1'),
        (dict(num_workers=0), ValueError, 'num_workers=0'),
        (dict(num_val=2.0), ValueError, 'num_val=2.0'),
    ],
)
def test_bad_arguments(tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        make_untrimmed_clips(tmp_path / 'set', **{**SMALL, **change})
    assert [*tmp_path.iterdir()] == []


def test_tool(tmp_path, small_set, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location('make_untrimmed_clips_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    options = '--train 3 --val 2 --size 32 --seed'.split()
    monkeypatch.setattr('sys.argv', [TOOL.name, str(tmp_path / 'set'), *options, '5'])
    tool.main()
    assert '3 training and 2 validation videos' in capsys.readouterr().out
    assert files(tmp_path / 'set').keys() == files(small_set).keys()
    monkeypatch.setattr('sys.argv', [TOOL.name, str(tmp_path / 'set'), *options, '6'])
    with pytest.raises(SystemExit, match='error: .*holds something else'):
        tool.main()
