from fractions import Fraction
from math import floor

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from stock_config import run_python

from mmtemporal.datasets.transforms import FramesToWindows, SampleWindows

LENGTHS = range(1, 301)
START_INDEX = 1


@pytest.fixture(autouse=True)
def same_draws():
    np.random.seed(0)


def authors_train_starts(num_frames, t):
    interval = (num_frames - 4) // t
    if interval > 0:
        return np.arange(t) * interval + np.random.randint(interval, size=t)
    if num_frames > t:
        return np.sort(np.random.randint(num_frames - 4, size=t))
    return np.zeros(t, dtype=int)


def authors_test_starts(num_frames, t):
    if num_frames > t + 4:
        interval = (num_frames - 4) / t
        return np.array([int(interval * (s + 0.5)) for s in range(t)])
    return np.zeros(t, dtype=int)


def view_starts(num_frames, t, num_views):
    """Every view by the formula of the docstring, in fractions."""
    if num_frames <= t + 4:
        return np.zeros(num_views * t, dtype=int)
    return np.array(
        [
            floor(Fraction(num_frames - 4, t) * (s + (v + Fraction(1, 2)) / num_views))
            for v in range(num_views)
            for s in range(t)
        ]
    )


def windows(starts, num_frames):
    """Frames of the windows; past the end stands the last one."""
    return np.minimum(np.asarray(starts)[:, None] + np.arange(5), num_frames - 1)


def sample(transform, num_frames):
    results = transform(dict(total_frames=num_frames, start_index=START_INDEX))
    assert results['num_clips'] == transform.num_clips
    assert results['clip_len'] == 5 and results['frame_interval'] == 1
    return results['frame_inds'].reshape(-1, 5) - START_INDEX


@pytest.mark.parametrize('t', [8, 16])
def test_training_is_the_rule_of_the_authors(t):
    transform = SampleWindows(num_clips=t)
    for num_frames in LENGTHS:
        # Stock spreads the windows of these, the authors do not.
        if 5 <= num_frames <= t:
            continue
        np.random.seed(num_frames)
        expected = windows(authors_train_starts(num_frames, t), num_frames)
        np.random.seed(num_frames)
        np.testing.assert_array_equal(sample(transform, num_frames), expected)


def test_short_videos_are_spread_in_training():
    starts = sample(SampleWindows(num_clips=8), 8)[:, 0]
    assert starts.tolist() == [0, 0, 1, 2, 2, 2, 3, 4]


@pytest.mark.parametrize('t', [8, 16])
def test_testing_is_the_rule_of_the_authors(t):
    transform = SampleWindows(num_clips=t, test_mode=True)
    for num_frames in LENGTHS:
        expected = windows(authors_test_starts(num_frames, t), num_frames)
        np.testing.assert_array_equal(sample(transform, num_frames), expected)


def test_example():
    starts = sample(SampleWindows(num_clips=8, test_mode=True), 60)[:, 0]
    assert starts.tolist() == [3, 10, 17, 24, 31, 38, 45, 52]


@pytest.mark.parametrize(('t', 'num_views'), [(8, 2), (8, 10), (16, 3)])
def test_views_follow_one_another(t, num_views):
    transform = SampleWindows(num_clips=t, num_views=num_views, test_mode=True)
    for num_frames in LENGTHS:
        expected = windows(view_starts(num_frames, t, num_views), num_frames)
        np.testing.assert_array_equal(sample(transform, num_frames), expected)


@pytest.mark.parametrize(('num_frames', 'num_views'), [(436, 3), (484, 10)])
def test_floor_is_exact(num_frames, num_views):
    """The shortest videos for which the formula in floats is off by one frame."""
    transform = SampleWindows(num_clips=8, num_views=num_views, test_mode=True)
    starts = sample(transform, num_frames)[:, 0]
    np.testing.assert_array_equal(starts, view_starts(num_frames, 8, num_views))
    shifts = (np.arange(num_views)[:, None] + 0.5) / num_views
    in_floats = ((num_frames - 4) / 8 * (np.arange(8) + shifts)).astype(int)
    assert not np.array_equal(starts, in_floats.reshape(-1))


def test_random_views_are_draws_of_the_training_rule():
    transform = SampleWindows(
        num_clips=8, num_views=10, random_views=True, test_mode=True
    )
    for num_frames in (3, 10, 60, 300):
        np.random.seed(num_frames)
        draws = [authors_train_starts(num_frames, 8) for _ in range(10)]
        expected = windows(np.concatenate(draws), num_frames)
        np.random.seed(num_frames)
        np.testing.assert_array_equal(sample(transform, num_frames), expected)
    views = expected.reshape(10, -1)
    assert len({view.tobytes() for view in views}) == 10
    # The next run is another one.
    assert not np.array_equal(sample(transform, num_frames), expected)


@pytest.mark.parametrize(('num_views', 'random_views'), [(1, False), (3, True)])
def test_frames_through_the_stock_pipeline(num_views, random_views):
    """Every pixel holds its frame number and its column."""
    video = np.zeros((60, 8, 12, 3), dtype=np.uint8)
    video[..., 0] = np.arange(60)[:, None, None]
    video[..., 1] = np.arange(12)
    sampler = dict(
        type='mmtemporal.SampleWindows',
        num_clips=8,
        num_views=num_views,
        random_views=random_views,
        test_mode=True,
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        pipeline = Compose(
            [
                sampler,
                dict(type='ArrayDecode'),
                dict(type='ThreeCrop', crop_size=8),
                dict(type='FormatShape', input_format='NCTHW'),
            ]
        )
    results = pipeline(
        dict(total_frames=60, start_index=0, array=video, modality='RGB')
    )
    imgs = results['imgs']
    assert imgs.shape == (3 * num_views * 8, 3, 5, 8, 8)
    # (crops, v * t, w): the same windows in every crop.
    frames = imgs[:, 0, :, 0, 0].reshape(3, -1, 5)
    np.testing.assert_array_equal(frames, [results['frame_inds'].reshape(-1, 5)] * 3)
    # ThreeCrop takes left, right, middle.
    left_edges = imgs[:, 1, :, 0, 0].reshape(3, -1)
    np.testing.assert_array_equal(
        left_edges, np.broadcast_to([[0], [4], [2]], left_edges.shape)
    )


def test_config_needs_no_other_import(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(
        "default_scope = 'mmaction'\n"
        "custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)\n"
        "pipeline = [dict(type='mmtemporal.SampleWindows', num_clips=8)]\n"
    )
    code = f"""
import sys
from mmengine import Config, DefaultScope
from mmengine.dataset import Compose
cfg = Config.fromfile({str(config)!r})
import mmtemporal.datasets
assert not any(name.startswith('mmaction') for name in sys.modules)
with DefaultScope.overwrite_default_scope(cfg.default_scope):
    print(Compose(cfg.pipeline))
"""
    assert 'SampleWindows(clip_len=5' in run_python('-c', code).stdout


def test_repr():
    transform = SampleWindows(num_clips=8, num_views=3, test_mode=True)
    assert repr(transform) == (
        'SampleWindows(clip_len=5, frame_interval=1, num_clips=8, '
        'temporal_jitter=False, twice_sample=False, out_of_bound_opt=repeat_last, '
        'test_mode=True, num_views=3, random_views=False)'
    )


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(num_views=0, test_mode=True), 'num_views=0, expected at least 1'),
        (dict(num_views=2), 'num_views=2 .*set test_mode=True'),
        (dict(random_views=True), 'random_views=True .*set test_mode=True'),
    ],
)
def test_wrong_views_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SampleWindows(num_clips=8, **arguments)


def test_windows_around_frames():
    results = dict(frame_inds=np.array([0, 4, 9]), total_frames=10, start_index=0)
    results = FramesToWindows()(results)
    windows = results['frame_inds'].reshape(3, 5)
    assert windows.tolist() == [[0, 0, 0, 1, 2], [2, 3, 4, 5, 6], [7, 8, 9, 9, 9]]
    assert (results['clip_len'], results['num_clips']) == (5, 3)
    # Numbers of images begin at one.
    results = dict(frame_inds=np.array([1]), total_frames=1, start_index=1)
    assert FramesToWindows(window=3)(results)['frame_inds'].tolist() == [1, 1, 1]
    assert repr(FramesToWindows()) == 'FramesToWindows(window=5)'
    with pytest.raises(ValueError, match=r'FramesToWindows\.window'):
        FramesToWindows(window=0)
