"""What the check of prepared data finds."""

import json

import numpy as np
import pytest
from small_clips import read_video
from small_utd_mhad import FEW

from mmtemporal.datasets.utd_mhad import check, check_utd_mhad
from mmtemporal.datasets.video_writing import write_video


def add_line(name, recording, label=None):
    def change(root):
        label_ = recording.label if label is None else label
        with (root / name).open('a') as file:
            file.write(f'{recording.video} {label_}\n')

    return change


def drop_line(name):
    def change(root):
        lines = (root / name).read_text().splitlines(keepends=True)
        (root / name).write_text(''.join(lines[1:]))

    return change


def remove(name):
    return lambda root: (root / name).unlink()


def write(name, text):
    return lambda root: (root / name).write_text(text)


def swap_lists(root):
    (root / 'test.txt').write_text((root / 'tune_val.txt').read_text())
    (root / 'train.txt').write_text((root / 'tune_train.txt').read_text())


def change_a_pixel(root):
    frames = read_video(root / FEW[4].video)
    frames[2, 60, 40] += 1
    write_video(root / FEW[4].video, frames)


def reverse(root):
    write_video(root / FEW[4].video, read_video(root / FEW[4].video)[::-1])


def cut(root):
    data = (root / FEW[4].video).read_bytes()
    (root / FEW[4].video).write_bytes(data[: len(data) // 2])


def copy_a_person(root):
    manifest = json.loads((root / 'manifest.json').read_text())
    first, second = manifest['recordings'][:2]
    second['frames_sha256'] = first['frames_sha256']
    (root / 'manifest.json').write_text(json.dumps(manifest))


@pytest.mark.parametrize('num_workers', [1, 2])
def test_right_data(prepared, num_workers):
    assert check_utd_mhad(prepared, num_workers) == [
        'persons: train [1, 7], test [2], tune_train [1], tune_val [7]; none on both '
        'sides',
        'lines: train 4, test 2, tune_train 2, tune_val 2',
        'classes: 2, 3 videos each',
        'decoding: 6 videos, 30 frames, twice the same frames',
    ]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (add_line('train.txt', FEW[1]), r'person 2 is in train\.txt and in test\.txt'),
        (add_line('test.txt', FEW[0]), r'person 1 is in train\.txt and in test\.txt'),
        (add_line('tune_val.txt', FEW[0]), 'person 1 is in tune_train.* in tune_val'),
        (add_line('tune_train.txt', FEW[1]), 'person 2 is in tune_train.* in test'),
        (add_line('tune_val.txt', FEW[1]), 'person 2 is in tune_val.* in test'),
        (swap_lists, r'person 7 is in tune_val\.txt and in test\.txt'),
        (drop_line('test.txt'), r'test\.txt has 1 lines, expected 2; delete it and'),
        (drop_line('tune_val.txt'), r'tune_val\.txt has 1 lines, expected 2'),
        (add_line('test.txt', FEW[1]), r"test\.txt has '.*a1_s2.* 0' more than once"),
        (add_line('test.txt', FEW[1], 7), r"line 3 of .*test\.txt is '.*mp4 7', which"),
        (write('test.txt', 'videos/own.mp4 0\n'), r"line 1 of .* is 'videos/own\.mp4"),
        (remove('train.txt'), r'train\.txt cannot be read'),
        (write('classes.txt', 'a\nb\n'), r'classes\.txt has other classes'),
        (remove(FEW[4].video), 'class sit_to_stand has 2 videos, expected 3'),
        (change_a_pixel, r'1 of 6 videos .*: videos/sit_to_stand/a24_s2_t1\.mp4 by Op'),
        (reverse, r'1 of 6 videos do not decode to the frames that were written'),
        (cut, r'1 of 6 videos .*a24_s2_t1\.mp4 by OpenCV\. Delete these'),
        (write(FEW[4].video, 'no video'), r'1 of 6 videos .*a24_s2_t1\.mp4 by OpenCV'),
        (copy_a_person, r'a1_s1_t1\.mp4 and .*a1_s2_t1\.mp4 are the same recording'),
        (remove('manifest.json'), r'has no manifest\.json of UTD-MHAD; prepare it'),
    ],
)
def test_mistakes(prepared, change, message):
    change(prepared)
    with pytest.raises(ValueError, match=message):
        check_utd_mhad(prepared)


def test_both_decoders_are_asked(prepared, monkeypatch):
    def decode(path):
        return decode_at_random(path)[::-1]

    decode_at_random = check._decode_at_random
    monkeypatch.setattr(check, '_decode_at_random', decode)
    with pytest.raises(ValueError, match=r'6 of 6 videos .*a1_s1_t1\.mp4 by decord; '):
        check_utd_mhad(prepared)


@pytest.mark.parametrize('num_frames', [1, 2, 7, 30])
def test_frames_keep_their_order(tmp_path, num_frames):
    frames = np.zeros((num_frames, 120, 80, 3), np.uint8)
    frames += np.arange(num_frames, dtype=np.uint8)[:, None, None, None] * 7
    write_video(tmp_path / 'video.mp4', frames)
    for decode in (check._decode_all, check._decode_at_random):
        np.testing.assert_array_equal(decode(tmp_path / 'video.mp4'), frames)
