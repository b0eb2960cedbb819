"""Folders of prepared data: gone on with, repaired, and never overwritten."""

import json
import multiprocessing
import os
import signal
import time

import pytest
from small_utd_mhad import FEW, contents, make_depth, write_recording

from mmtemporal.datasets.utd_mhad import (
    check_utd_mhad,
    preparation,
    prepare_utd_mhad,
)


@pytest.fixture
def written(monkeypatch):
    """Names of the videos that are written from now on."""
    names = []

    def write(path, *args, **kwargs):
        names.append(path.name.replace('.part', ''))
        write_video(path, *args, **kwargs)

    write_video = preparation.write_video
    monkeypatch.setattr(preparation, 'write_video', write)
    return names


def interrupt(monkeypatch, count):
    """Let this many videos be written, and half of the next."""
    calls = []

    def stop(path, *args, **kwargs):
        if len(calls) == count:
            path.write_bytes(b'half')
            raise KeyboardInterrupt
        calls.append(path)
        write_video(path, *args, **kwargs)

    write_video = preparation.write_video
    monkeypatch.setattr(preparation, 'write_video', stop)


@pytest.mark.parametrize('num_workers', [1, 2])
def test_result_does_not_depend_on_the_number_of_processes(
    depth_folder, prepared, tmp_path, num_workers
):
    other = prepare_utd_mhad(depth_folder, tmp_path / 'other', num_workers)
    assert contents(other) == contents(prepared)


def test_complete_data_is_left_as_it_is(depth_folder, prepared, written):
    before = {p: p.stat().st_mtime_ns for p in prepared.rglob('*')}
    assert prepare_utd_mhad(depth_folder, prepared) == prepared
    assert before == {p: p.stat().st_mtime_ns for p in prepared.rglob('*')}
    assert not written


@pytest.mark.parametrize('count', [0, 4])
def test_interrupted_run_goes_on(
    depth_folder, prepared, tmp_path, monkeypatch, written, count
):
    root = tmp_path / 'interrupted'
    with monkeypatch.context() as patch:
        interrupt(patch, count)
        with pytest.raises(KeyboardInterrupt):
            prepare_utd_mhad(depth_folder, root)
    names = {p.name for p in root.rglob('*') if p.is_file()}
    assert names == {'progress.jsonl'} | {f'{r.name}.mp4' for r in FEW[:count]} | {
        f'{FEW[count].name}.part.mp4'
    }
    with pytest.raises(ValueError, match=r'no manifest\.json'):
        check_utd_mhad(root)
    del written[:]
    prepare_utd_mhad(depth_folder, root)
    assert written == [f'{recording.name}.mp4' for recording in FEW[count:]]
    assert contents(root) == contents(prepared)


# What a run works on, six videos, five lists, the manifest.
@pytest.mark.parametrize('count', range(13))
@pytest.mark.parametrize('renamed', [False, True])
def test_interruption_beside_a_renaming(
    depth_folder, prepared, tmp_path, monkeypatch, written, count, renamed
):
    def stop(old, new):
        if len(calls) < count or renamed:
            replace(old, new)
        if len(calls) == count:
            raise KeyboardInterrupt
        calls.append(new)

    root, calls, replace = tmp_path / 'interrupted', [], os.replace
    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', stop)
        with pytest.raises(KeyboardInterrupt):
            prepare_utd_mhad(depth_folder, root)
    assert (root / 'manifest.json').exists() == (renamed and count == 12)
    del written[:]
    prepare_utd_mhad(depth_folder, root)
    assert written == [
        f'{recording.name}.mp4' for recording in FEW[max(count - 1, 0) :]
    ]
    assert contents(root) == contents(prepared)


def test_kill_while_the_progress_is_written(depth_folder, prepared, tmp_path, written):
    """The line of the last video is cut; so that video is written again."""
    manifest = json.loads((prepared / 'manifest.json').read_text())
    hashes = [row.pop('frames_sha256') for row in manifest['recordings']]
    lines = [json.dumps({r.video: digest}) for r, digest in zip(FEW, hashes)]
    for name in ('manifest.json', 'train.txt'):
        (prepared / name).unlink()
    progress = [json.dumps(manifest), *lines[:5], lines[5][:30]]
    (prepared / 'progress.jsonl').write_text('\n'.join(progress))
    prepare_utd_mhad(depth_folder, prepared)
    assert written == [f'{FEW[5].name}.mp4']
    whole = prepare_utd_mhad(depth_folder, tmp_path / 'whole')
    assert contents(prepared) == contents(whole)


@pytest.mark.slow
@pytest.mark.parametrize('num_workers', [1, 2])
def test_killed_process(depth_folder, prepared, tmp_path, monkeypatch, num_workers):
    root = tmp_path / 'killed'
    write_video = preparation.write_video

    def write(path, *args, **kwargs):
        time.sleep(0.1)  # so that the kill is in time
        write_video(path, *args, **kwargs)

    monkeypatch.setattr(preparation, 'write_video', write)
    # Forked, for what is patched to be so there as well.
    context = multiprocessing.get_context('fork')
    process = context.Process(
        target=_prepare_as_a_group, args=(depth_folder, root, num_workers)
    )
    process.start()
    while process.is_alive() and len(list(root.rglob('a*_t1.mp4'))) < 2:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (root / 'manifest.json').exists()
    prepare_utd_mhad(depth_folder, root)
    assert contents(root) == contents(prepared)


def _prepare_as_a_group(*arguments):
    os.setsid()
    prepare_utd_mhad(*arguments)


@pytest.mark.parametrize('name', [FEW[2].video, 'tune_val.txt', 'classes.txt'])
def test_missing_file_is_written_again(depth_folder, prepared, written, name):
    before = contents(prepared)
    (prepared / name).unlink()
    prepare_utd_mhad(depth_folder, prepared)
    assert contents(prepared) == before
    assert written == ([f'{FEW[2].name}.mp4'] if name.endswith('.mp4') else [])


def test_empty_folder_is_filled(depth_folder, prepared, tmp_path):
    (tmp_path / 'empty').mkdir()
    prepare_utd_mhad(depth_folder, tmp_path / 'empty')
    assert contents(tmp_path / 'empty') == contents(prepared)


@pytest.mark.parametrize('interrupted', [False, True])
@pytest.mark.parametrize('change', ['format', 'source'])
def test_other_videos_are_refused(
    depth_folder, tmp_path, monkeypatch, interrupted, change
):
    root = tmp_path / 'present'
    with monkeypatch.context() as patch:
        if interrupted:
            interrupt(patch, 2)
            with pytest.raises(KeyboardInterrupt):
                prepare_utd_mhad(depth_folder, root)
        else:
            prepare_utd_mhad(depth_folder, root)
    if change == 'format':
        monkeypatch.setattr(preparation, 'FORMAT_VERSION', 2)
        message = 'it has format_version=1, got format_version=2'
    else:
        depth = make_depth(FEW[3]) // 2
        write_recording(depth_folder, FEW[3], d_depth=depth)
        message = r'another a24_s1_t1_depth\.mat than that of the source'
    before = contents(root)
    with pytest.raises(FileExistsError, match=message):
        prepare_utd_mhad(depth_folder, root)
    assert contents(root) == before


@pytest.mark.parametrize('name', ['thesis.txt', 'train.txt', 'manifest.json'])
def test_folder_of_something_else_is_refused(depth_folder, tmp_path, name):
    root = tmp_path / 'home'
    root.mkdir()
    (root / name).write_text('{"data_set": "mine"}')
    before = contents(root)
    with pytest.raises(FileExistsError, match=name):
        prepare_utd_mhad(depth_folder, root)
    assert contents(root) == before


def test_unknown_files_in_prepared_data_are_refused(depth_folder, prepared):
    (prepared / 'videos' / 'own.mp4').touch()
    with pytest.raises(FileExistsError, match=r'something else \(such as videos/own'):
        prepare_utd_mhad(depth_folder, prepared)


def test_targets_that_can_be_none(depth_folder, tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(FileExistsError, match='is a file; give a folder'):
        prepare_utd_mhad(depth_folder, tmp_path / 'file')
    with pytest.raises(FileExistsError, match=r'such as a1_s1_t1_depth\.mat'):
        prepare_utd_mhad(depth_folder, depth_folder)
    with pytest.raises(ValueError, match='num_workers=0'):
        prepare_utd_mhad(depth_folder, tmp_path / 'new', num_workers=0)
    assert not (tmp_path / 'new').exists()
