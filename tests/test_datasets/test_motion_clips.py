import importlib.util
import json
import shutil
from pathlib import Path

import cv2
import decord
import numpy as np
import pytest
from mmaction.datasets import VideoDataset
from mmengine.registry import DefaultScope

from mmtemporal.datasets import (
    CLASS_NAMES,
    MIRRORED_LABELS,
    draw_clip,
    make_motion_clips,
    motion_clips,
)
from mmtemporal.datasets.motion_drawing import draw_motion_clip

TOOL = Path(__file__).parents[2] / 'tools' / 'make_motion_clips.py'
SMALL = dict(num_train=16, num_val=8, size=32, num_frames=8, seed=3)
# What SampleFrames(clip_len=1, num_clips=8, test_mode=True) takes of 24 frames.
SAMPLED = np.arange(8) * 3 + 1


@pytest.fixture(scope='module')
def small_set(tmp_path_factory):
    return make_motion_clips(tmp_path_factory.mktemp('clips') / 'set', **SMALL)


@pytest.fixture
def own_set(small_set, tmp_path):
    return Path(shutil.copytree(small_set, tmp_path / 'set'))


def read_annotations(root, split):
    lines = (root / f'{split}.txt').read_text().splitlines()
    return [(path, int(label)) for path, label in (line.split() for line in lines)]


def read_video(path):
    reader = decord.VideoReader(str(path), num_threads=1)
    return reader.get_batch(range(len(reader))).asnumpy()


def assert_same_files(left, right):
    names = {p.relative_to(left) for p in left.rglob('*')}
    assert names == {p.relative_to(right) for p in right.rglob('*')}
    for name in names:
        if name.suffix == '.mp4':
            np.testing.assert_array_equal(
                read_video(left / name), read_video(right / name)
            )
        elif name.suffix:
            assert (left / name).read_bytes() == (right / name).read_bytes()


def test_class_names_and_mirrored_labels():
    assert len(set(CLASS_NAMES)) == 8
    assert MIRRORED_LABELS == (1, 0, 3, 2, 5, 4, 7, 6)


@pytest.mark.parametrize('num_workers', [1, 2])
def test_same_seed_gives_the_same_set(small_set, tmp_path, num_workers):
    other = make_motion_clips(tmp_path / 'set', num_workers=num_workers, **SMALL)
    assert_same_files(small_set, other)


def test_clips_do_not_depend_on_their_number(small_set, tmp_path):
    fewer = make_motion_clips(tmp_path / 'set', **{**SMALL, 'num_train': 8})
    fewer_clips = read_annotations(fewer, 'train')
    assert fewer_clips == read_annotations(small_set, 'train')[:8]
    for path, _ in fewer_clips:
        np.testing.assert_array_equal(
            read_video(fewer / path), read_video(small_set / path)
        )


def test_scenes_differ_between_seeds_splits_and_indices():
    keys = [(0, 'train', 0), (1, 'train', 0), (0, 'val', 0), (0, 'train', 8)]
    clips = {draw_clip(*key, size=32, num_frames=8)[0].tobytes() for key in keys}
    assert len(clips) == len(keys)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_files_hold_exactly_the_drawn_frames(small_set, split):
    annotations = read_annotations(small_set, split)
    assert len(annotations) == SMALL[f'num_{split}']
    for index, (path, label) in enumerate(annotations):
        drawn, drawn_label = draw_clip(3, split, index, size=32, num_frames=8)
        assert label == drawn_label
        np.testing.assert_array_equal(read_video(small_set / path)[..., ::-1], drawn)


def test_labels_are_balanced(small_set):
    for split in ('train', 'val'):
        counts = np.bincount([label for _, label in read_annotations(small_set, split)])
        assert counts.tolist() == [SMALL[f'num_{split}'] // 8] * 8


@pytest.mark.parametrize('label', range(8))
def test_mirrored_class_is_the_exact_reversal(label):
    clip = draw_motion_clip(np.random.default_rng(5), label, 48, 11)
    mirrored = draw_motion_clip(
        np.random.default_rng(5), MIRRORED_LABELS[label], 48, 11
    )
    assert clip.shape == (11, 48, 48, 3) and clip.dtype == np.uint8
    np.testing.assert_array_equal(clip, mirrored[::-1])
    assert not np.array_equal(clip, mirrored)


def test_each_scene_comes_in_both_directions():
    for index in range(0, 16, 2):
        forwards, label = draw_clip(0, 'val', index, size=32)
        backwards, mirrored_label = draw_clip(0, 'val', index + 1, size=32)
        assert mirrored_label == MIRRORED_LABELS[label]
        np.testing.assert_array_equal(forwards, backwards[::-1])
        # A set of the sampled frames is the same set for both.
        np.testing.assert_array_equal(
            np.sort(forwards[SAMPLED], axis=0), np.sort(backwards[SAMPLED], axis=0)
        )


def pose(frames):
    """Centroid, area and direction of the farthest point of the object, by frame."""
    bright = frames.max(axis=-1) > 130
    poses = []
    for mask in bright:
        moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
        x, y = moments['m10'] / moments['m00'], moments['m01'] / moments['m00']
        distance = np.hypot(*(np.argwhere(mask)[:, ::-1] - (x, y)).T)
        tip = np.argwhere(mask)[distance.argmax(), ::-1] - (x, y)
        poses.append((x, y, moments['m00'], np.arctan2(tip[1], tip[0])))
    return np.array(poses)


@pytest.mark.parametrize(
    ('label', 'column'), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2)]
)
def test_frames_move_as_the_class_name_says(label, column):
    direction = -1 if label % 2 else 1
    for seed in range(5):
        clip = draw_motion_clip(np.random.default_rng(seed), label, 64, 24)
        steps = np.diff(pose(clip[SAMPLED])[:, column]) * direction
        assert steps.min() > 0


@pytest.mark.parametrize(('label', 'direction'), [(6, 1), (7, -1)])
def test_rotation_turns_by_small_steps_one_way(label, direction, monkeypatch):
    outlines = {'wedge': [(1, 0), (-0.5, 0.3), (-0.5, -0.3)]}
    monkeypatch.setattr('mmtemporal.datasets.motion_drawing._OUTLINES', outlines)
    for seed in range(5):
        clip = draw_motion_clip(np.random.default_rng(seed), label, 128, 24)
        steps = np.diff(np.unwrap(pose(clip[SAMPLED])[:, 3])) * direction
        assert steps.min() > 0 and steps.max() < np.deg2rad(60)


def test_frames_carry_no_time_direction():
    """Statistics of single frames and of frame averages agree within pairs."""
    for pair in range(4):
        values = {}
        for label in (2 * pair, 2 * pair + 1):
            # Different scenes for the two classes: this is no identity.
            rngs = (np.random.default_rng((label, i)) for i in range(100))
            clips = [draw_motion_clip(rng, label, 32, 24)[SAMPLED] for rng in rngs]
            values[label % 2] = np.array([pose(clip)[:, :3].mean(0) for clip in clips])
        spread = np.sqrt(sum(v.var(axis=0) / len(v) for v in values.values()))
        z_scores = np.abs(values[0].mean(0) - values[1].mean(0)) / spread
        assert z_scores.max() < 4


def test_clips_go_through_the_stock_dataset(small_set):
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = VideoDataset(
            ann_file=str(small_set / 'val.txt'),
            data_prefix=dict(video=str(small_set)),
            pipeline=[
                dict(type='DecordInit', num_threads=1),
                dict(type='SampleFrames', clip_len=1, num_clips=8, test_mode=True),
                dict(type='DecordDecode'),
            ],
            test_mode=True,
        )
    assert len(dataset) == SMALL['num_val']
    for index in (0, 5):
        results = dataset[index]
        assert results['total_frames'] == 8
        assert results['label'] == index % 8
        drawn, _ = draw_clip(3, 'val', index, size=32, num_frames=8)
        np.testing.assert_array_equal(np.stack(results['imgs'])[..., ::-1], drawn)


def test_identical_set_is_reused(own_set):
    before = {p: p.stat().st_mtime_ns for p in own_set.rglob('*')}
    assert make_motion_clips(own_set, **SMALL) == own_set
    assert before == {p: p.stat().st_mtime_ns for p in own_set.rglob('*')}


def test_empty_folder_is_filled(small_set, tmp_path):
    (tmp_path / 'set').mkdir()
    assert_same_files(small_set, make_motion_clips(tmp_path / 'set', **SMALL))


def test_other_settings_are_refused_unless_overwritten(own_set, tmp_path):
    other = {**SMALL, 'seed': 4, 'num_train': 8}
    with pytest.raises(FileExistsError, match=r'num_train=16, got num_train=8.*seed=3'):
        make_motion_clips(own_set, **other)
    assert len(read_annotations(own_set, 'train')) == 16
    make_motion_clips(own_set, overwrite=True, **other)
    fresh = make_motion_clips(tmp_path / 'fresh', **other)
    assert_same_files(own_set, fresh)
    assert {p.name for p in tmp_path.iterdir()} == {'set', 'fresh'}


def test_other_generator_version_is_refused(own_set, monkeypatch):
    monkeypatch.setattr(motion_clips, 'GENERATOR_VERSION', 99)
    with pytest.raises(FileExistsError, match='generator_version=99'):
        make_motion_clips(own_set, **SMALL)


def test_missing_file_is_noticed_and_repaired_by_overwrite(own_set, small_set):
    (own_set / 'val' / '000002.mp4').unlink()
    with pytest.raises(FileExistsError, match=r'val/000002\.mp4'):
        make_motion_clips(own_set, **SMALL)
    assert_same_files(small_set, make_motion_clips(own_set, overwrite=True, **SMALL))


@pytest.mark.parametrize('overwrite', [False, True])
def test_foreign_files_are_never_touched(own_set, tmp_path, overwrite):
    thesis = tmp_path / 'home' / 'thesis.txt'
    thesis.parent.mkdir()
    for note in (thesis, own_set / 'note.txt', tmp_path / 'file'):
        note.write_text('mine')
        with pytest.raises(FileExistsError, match=note.name):
            folder = note if note.name == 'file' else note.parent
            make_motion_clips(folder, overwrite=overwrite, **{**SMALL, 'seed': 4})
        assert note.read_text() == 'mine'


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
def test_interruption_leaves_nothing(tmp_path, monkeypatch, error):
    def draw(*args):
        if len(list(tmp_path.rglob('*.mp4'))) == 5:
            raise error
        return draw_motion_clip(*args)

    monkeypatch.setattr(motion_clips, 'draw_motion_clip', draw)
    with pytest.raises(error):
        make_motion_clips(tmp_path / 'set', **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_failed_overwrite_keeps_the_old_set(own_set, small_set, monkeypatch):
    def fail(*args):
        raise RuntimeError

    monkeypatch.setattr(motion_clips, 'draw_motion_clip', fail)
    with pytest.raises(RuntimeError):
        make_motion_clips(own_set, overwrite=True, **{**SMALL, 'seed': 4})
    assert_same_files(own_set, small_set)
    assert [p.name for p in own_set.parent.iterdir()] == ['set']


def test_set_made_meanwhile_by_another_process_is_used(tmp_path, monkeypatch):
    def write(*args):
        write_set(*args)
        monkeypatch.undo()
        make_motion_clips(tmp_path / 'set', **SMALL)

    write_set = motion_clips._write_set
    monkeypatch.setattr(motion_clips, '_write_set', write)
    make_motion_clips(tmp_path / 'set', **SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ['set']


def test_incomplete_video_is_noticed(tmp_path, monkeypatch):
    class LosingWriter:
        def __init__(self, *args):
            self.writer, self.count = cv2_writer(*args), 0

        def isOpened(self):
            return self.writer.isOpened()

        def write(self, frame):
            self.count += 1
            if self.count < 8:
                self.writer.write(frame)

        def release(self):
            self.writer.release()

    cv2_writer = cv2.VideoWriter
    LosingWriter.fourcc = cv2_writer.fourcc
    monkeypatch.setattr(cv2, 'VideoWriter', LosingWriter)
    with pytest.raises(OSError, match='7 of 8 frames'):
        make_motion_clips(tmp_path / 'set', **SMALL)


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (dict(num_train=12), ValueError, 'num_train=12.*multiple of 8'),
        (dict(num_val=0), ValueError, 'num_val=0.*at least 8'),
        (dict(size=33), ValueError, 'size=33.*multiple of 2'),
        (dict(size=16), ValueError, 'size=16.*at least 32'),
        (dict(size=1024), ValueError, 'size=1024.*at most 512'),
        (dict(num_frames=7), ValueError, 'num_frames=7.*at least 8'),
        (dict(seed=-1), ValueError, 'seed=-1'),
        (dict(num_workers=0), ValueError, 'num_workers=0'),
        (dict(num_train=16.0), TypeError, 'num_train=16.0'),
        (dict(seed=True), TypeError, 'seed=True'),
    ],
)
def test_bad_arguments(tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        make_motion_clips(tmp_path / 'set', **{**SMALL, **change})
    assert list(tmp_path.iterdir()) == []


def test_unknown_label():
    with pytest.raises(ValueError, match='label=8'):
        draw_motion_clip(np.random.default_rng(0), 8, 32, 8)


@pytest.fixture
def run_tool(monkeypatch):
    spec = importlib.util.spec_from_file_location('make_motion_clips_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*arguments):
        monkeypatch.setattr('sys.argv', [TOOL.name, *map(str, arguments)])
        tool.main()

    return run


def test_tool_writes_the_set_and_the_preview(tmp_path, small_set, run_tool):
    root, picture = tmp_path / 'data' / 'set', tmp_path / 'pictures' / 'preview.png'
    options = '--train 16 --val 8 --size 32 --frames 8 --seed 3'.split()
    run_tool(root, *options, '--preview', picture)
    assert_same_files(small_set, root)
    sheet = cv2.imread(str(picture))
    assert sheet.shape[0] == 8 * (32 + 4)
    first_frame, _ = draw_clip(3, 'train', 0, size=32, num_frames=8)
    np.testing.assert_array_equal(sheet[2:34, 132:164], first_frame[0])
    assert json.loads((root / 'manifest.json').read_text())['seed'] == 3


def test_tool_reports_errors_in_one_line(tmp_path, own_set, run_tool):
    with pytest.raises(SystemExit, match='error: .*seed=3'):
        run_tool(own_set, *'--train 16 --val 8 --size 32 --frames 8'.split())
    with pytest.raises(SystemExit):
        run_tool(tmp_path / 'new', '--preview', tmp_path / 'preview.mp3')
    assert not (tmp_path / 'new').exists()
