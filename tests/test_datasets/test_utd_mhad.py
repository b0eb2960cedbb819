"""UTD-MHAD's depth recordings: facts, rendering, files, training on them."""

import hashlib
import json
from collections import Counter

import numpy as np
import pytest
from mmaction.datasets import VideoDataset
from small_clips import read_video
from small_utd_mhad import FEW, make_depth, write_recording

from mmtemporal.datasets.utd_mhad import (
    CLASS_NAMES,
    FLIP_LABEL_MAP,
    LISTS,
    ORDER_PAIRS,
    RECORDINGS,
    check_utd_mhad,
    prepare_utd_mhad,
    render_depth,
)


def test_numbers_are_those_of_the_authors():
    assert len(RECORDINGS) == len(set(RECORDINGS)) == 861
    counts = Counter(CLASS_NAMES[r.label] for r in RECORDINGS)
    fewer = dict(draw_x=31, walk_in_place=31, squat=31)
    assert counts == {name: 32 for name in CLASS_NAMES} | fewer
    in_lists = {n: sum(r.person in who for r in RECORDINGS) for n, who in LISTS.items()}
    assert in_lists == dict(train=431, test=430, tune_train=323, tune_val=108)


def test_labels_of_motions_in_both_directions():
    names = [tuple(CLASS_NAMES[label] for label in pair) for pair in ORDER_PAIRS]
    assert names == [
        ('swipe_left', 'swipe_right'),
        ('draw_circle_cw', 'draw_circle_ccw'),
        ('sit_to_stand', 'stand_to_sit'),
    ]
    assert ORDER_PAIRS == ((0, 1), (8, 9), (23, 24))
    assert FLIP_LABEL_MAP == {0: 1, 1: 0, 8: 9, 9: 8}


@pytest.mark.parametrize(
    ('millimetres', 'grey'),
    [
        ((1800,) * 4, 255),
        ((3800,) * 4, 40),
        ((2800,) * 4, 148),  # 255 - 107.5
        ((0,) * 4, 0),
        ((500,) * 4, 255),
        ((65535,) * 4, 40),
        ((1800, 0, 0, 0), 64),  # the mean of four, 63.75
        ((1800, 3800, 1800, 0), 138),  # (255 + 40 + 255 + 0) / 4 = 137.5
    ],
)
def test_grey_values(millimetres, grey):
    depth = np.zeros((2, 240, 320), np.uint16)
    depth[1, 6:8, 90:92] = np.reshape(millimetres, (2, 2))
    frames = render_depth(depth)
    assert frames.shape == (2, 120, 80, 3)
    assert frames.dtype == np.uint8
    assert frames[1, 3, 5].tolist() == [grey] * 3
    frames[1, 3, 5] = 0
    assert not frames.any()


def test_the_middle_columns_of_all_rows_are_kept():
    depth = np.zeros((1, 240, 320), np.uint16)
    depth[..., :80] = depth[..., 240:] = 1800
    assert not render_depth(depth).any()
    depth[:, (0, 0, 1, 1), (80, 81, 80, 81)] = 1800
    depth[:, (238, 238, 239, 239), (238, 239, 238, 239)] = 3800
    (frame,) = render_depth(depth)
    assert np.argwhere(frame[..., 0]).tolist() == [[0, 0], [119, 79]]
    assert (frame[0, 0, 0], frame[-1, -1, 0]) == (255, 40)


def test_files_of_the_prepared_data(prepared):
    expected = {f'videos/{CLASS_NAMES[r.label]}/{r.name}.mp4' for r in FEW}
    texts = {f'{name}.txt' for name in (*LISTS, 'classes')}
    found = {p.relative_to(prepared).as_posix() for p in prepared.rglob('*.*')}
    assert found == expected | texts | {'manifest.json'}
    assert (prepared / 'classes.txt').read_text().split() == [*CLASS_NAMES]


@pytest.mark.parametrize(
    ('name', 'persons'),
    [('train', (1, 7)), ('test', (2,)), ('tune_train', (1,)), ('tune_val', (7,))],
)
def test_lists(prepared, name, persons):
    lines = (prepared / f'{name}.txt').read_text().splitlines()
    swipes = [f'videos/swipe_left/a1_s{person}_t1.mp4 0' for person in persons]
    rises = [f'videos/sit_to_stand/a24_s{person}_t1.mp4 23' for person in persons]
    assert lines == swipes + rises


def test_videos_and_manifest(prepared, depth_folder):
    manifest = json.loads((prepared / 'manifest.json').read_text())
    assert manifest['format_version'] == 1
    assert 'ICIP 2015' in manifest['citation']
    for recording, row in zip(FEW, manifest['recordings'], strict=True):
        frames = render_depth(np.moveaxis(make_depth(recording), 2, 0))
        np.testing.assert_array_equal(read_video(prepared / row['video']), frames)
        file = depth_folder / row['source']
        assert row == dict(
            video=recording.video,
            label=recording.action - 1,
            person=recording.person,
            trial=1,
            source=f'{recording.name}_depth.mat',
            source_sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            frames=5,
            frames_sha256=hashlib.sha256(frames.tobytes()).hexdigest(),
        )


def test_stock_data_set_reads_it(prepared):
    dataset = VideoDataset(
        str(prepared / 'test.txt'),
        pipeline=[
            dict(type='mmaction.DecordInit', num_threads=1),
            dict(type='mmaction.SampleFrames', clip_len=1, num_clips=5, test_mode=True),
            dict(type='mmaction.DecordDecode'),
        ],
        data_prefix=dict(video=str(prepared)),
    )
    assert [info['label'] for info in map(dataset.get_data_info, range(2))] == [0, 23]
    expected = render_depth(np.moveaxis(make_depth(FEW[1]), 2, 0))
    np.testing.assert_array_equal(dataset[0]['imgs'], expected)


@pytest.mark.slow
def test_all_recordings(tmp_path):
    source = tmp_path / 'Depth'
    source.mkdir()
    for recording in RECORDINGS:
        depth = make_depth(recording, num_frames=2)
        write_recording(source, recording, d_depth=depth)
    root = prepare_utd_mhad(source, tmp_path / 'prepared', num_workers=2)
    assert check_utd_mhad(root, num_workers=2) == [
        'persons: train [1, 3, 5, 7], test [2, 4, 6, 8], tune_train [1, 3, 5], '
        'tune_val [7]; none on both sides',
        'lines: train 431, test 430, tune_train 323, tune_val 108',
        'classes: 27, 32 videos each, but draw_x 31, walk_in_place 31, squat 31',
        'decoding: 861 videos, 1722 frames, twice the same frames',
    ]
