"""Folders of motion clips: equal for a seed, reused, and never lost."""

import cv2
import numpy as np
import pytest
from small_clips import SMALL, assert_same_files, read_annotations, read_video

from mmtemporal.datasets import make_motion_clips, motion_clips
from mmtemporal.datasets.motion_drawing import draw_motion_clip


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
        (dict(size=16), ValueError, 'size=16.*32 to 512'),
        (dict(size=1024), ValueError, 'size=1024.*32 to 512'),
        (dict(num_frames=7), ValueError, 'num_frames=7.*at least 8'),
        (dict(seed=-1), ValueError, 'seed=-1'),
        (dict(num_workers=0), ValueError, 'num_workers=0'),
        (dict(num_train=16.0), ValueError, 'num_train=16.0'),
    ],
)
def test_bad_arguments(tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        make_motion_clips(tmp_path / 'set', **{**SMALL, **change})
    assert list(tmp_path.iterdir()) == []
