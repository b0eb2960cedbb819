"""The samplers of the TAda networks, by their rules in exact arithmetic."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from mmtemporal.datasets.transforms import SampleDenseClips, SampleSegments

LENGTHS = range(1, 301)
START_INDEX = 1


@pytest.fixture(autouse=True)
def same_draws():
    np.random.seed(0)


def sample(transform, num_frames, **results):
    """Return the frames (clips, t) that a transform takes of a video."""
    results.update(total_frames=num_frames, start_index=START_INDEX)
    results = transform(results)
    assert results['num_clips'] == transform.num_clips
    assert results['clip_len'] == transform.clip_len
    frames = results['frame_inds'].reshape(transform.num_clips, transform.clip_len)
    return frames - START_INDEX


# ------------------------------------------------------------------ dense clips


def dense_clip(num_frames, t, interval, fps, start):
    """Frames of one clip, in fractions; ``start`` is a share of the longest start."""
    length = t * interval * Fraction(fps) / 30
    start = start * max(num_frames - length, 0)
    positions = (start + k * (length - 1) / (t - 1) for k in range(t))
    return [min(max(floor(position), 0), num_frames - 1) for position in positions]


@pytest.mark.parametrize('fps', [12, 24, 25, 30, 60])
@pytest.mark.parametrize(('t', 'interval'), [(8, 8), (16, 5)])
@pytest.mark.parametrize('n', [1, 4, 10])
def test_dense_test_clips(t, interval, fps, n):
    transform = SampleDenseClips(
        clip_len=t, frame_interval=interval, num_clips=n, test_mode=True
    )
    starts = [Fraction(i, n) for i in range(n)] if n > 1 else [Fraction(1, 2)]
    for num_frames in LENGTHS:
        expected = [dense_clip(num_frames, t, interval, fps, x) for x in starts]
        frames = sample(transform, num_frames, avg_fps=float(fps))
        np.testing.assert_array_equal(frames, expected)


@pytest.mark.parametrize('num_clips', [1, 3])
@pytest.mark.parametrize('fps', [25, 30])
def test_dense_training_clips(fps, num_clips):
    transform = SampleDenseClips(clip_len=8, frame_interval=8, num_clips=num_clips)
    for num_frames in LENGTHS:
        np.random.seed(num_frames)
        frames = sample(transform, num_frames, avg_fps=float(fps))
        np.random.seed(num_frames)
        shares = map(Fraction, np.random.uniform(size=num_clips))
        expected = [dense_clip(num_frames, 8, 8, fps, share) for share in shares]
        np.testing.assert_array_equal(frames, expected)


def test_dense_training_reaches_both_ends():
    transform = SampleDenseClips(clip_len=8, frame_interval=8)
    frames = np.concatenate([sample(transform, 70) for _ in range(200)])
    assert frames.min() == 0 and frames.max() == 68
    assert len({tuple(clip) for clip in frames.tolist()}) == 6


def test_dense_examples():
    clip = SampleDenseClips(clip_len=8, frame_interval=8, num_clips=10, test_mode=True)
    frames = sample(clip, 300, avg_fps=30.0)
    assert frames[0].tolist() == [0, 9, 18, 27, 36, 45, 54, 63]
    # Not at the end of the video, but at nine tenths of the way to it.
    assert frames[-1].tolist() == [212, 221, 230, 239, 248, 257, 266, 275]
    assert sample(clip, 40)[3].tolist() == [0, 9, 18, 27, 36, 39, 39, 39]
    clip = SampleDenseClips(clip_len=16, frame_interval=5)
    assert sample(clip, 80).tolist() == [[floor(k * 79 / 15) for k in range(16)]]


@pytest.mark.parametrize('target_fps', [15, 30])
@pytest.mark.parametrize('results', [{}, dict(avg_fps=0.0)])
def test_without_a_rate_a_video_has_the_target_rate(results, target_fps):
    clip = SampleDenseClips(
        clip_len=8, frame_interval=8, target_fps=target_fps, test_mode=True
    )
    assert sample(clip, 64, **results).tolist() == [[0, 9, 18, 27, 36, 45, 54, 63]]


def test_a_target_rate_of_one_half_doubles_the_clip():
    options = dict(clip_len=8, test_mode=True)
    half = SampleDenseClips(frame_interval=8, target_fps=15, **options)
    full = SampleDenseClips(frame_interval=16, **options)
    for num_frames in (100, 200):
        expected = sample(full, num_frames, avg_fps=25.0)
        frames = sample(half, num_frames, avg_fps=25.0)
        np.testing.assert_array_equal(frames, expected)


def test_a_very_slow_video_is_not_sampled_backwards():
    clip = SampleDenseClips(clip_len=8, frame_interval=8, test_mode=True)
    assert sample(clip, 5, avg_fps=0.1).tolist() == [[2] * 8]


# --------------------------------------------------------------------- segments


def segment_frames(num_frames, t, share):
    """Frames of one clip, in fractions: ``share`` of the way through each segment."""
    positions = ((k + share) * Fraction(num_frames, t) for k in range(t))
    # Python rounds halves to the even number.
    return [min(round(position), num_frames - 1) for position in positions]


@pytest.mark.parametrize('t', [8, 16, 7])
@pytest.mark.parametrize('n', [1, 2, 3, 10])
def test_segments_in_testing(t, n):
    transform = SampleSegments(clip_len=t, num_clips=n, test_mode=True)
    shares = [Fraction(i + 1, n) for i in range(n)] if n > 1 else [Fraction(1, 2)]
    for num_frames in LENGTHS:
        expected = [segment_frames(num_frames, t, share) for share in shares]
        np.testing.assert_array_equal(sample(transform, num_frames), expected)


@pytest.mark.parametrize('t', [8, 16])
def test_segments_in_training(t):
    transform = SampleSegments(clip_len=t)
    for num_frames in LENGTHS:
        np.random.seed(num_frames)
        (frames,) = sample(transform, num_frames)
        np.random.seed(num_frames)
        positions = [
            (k + draw) * num_frames / t
            for k, draw in enumerate(np.random.uniform(size=t))
        ]
        expected = [min(round(position), num_frames - 1) for position in positions]
        assert frames.tolist() == expected


def test_segments_in_training_reach_both_ends():
    transform = SampleSegments(clip_len=8)
    frames = np.concatenate([sample(transform, 40) for _ in range(200)])
    assert frames.min(axis=0).tolist() == [0, 5, 10, 15, 20, 25, 30, 35]
    assert frames.max(axis=0).tolist() == [5, 10, 15, 20, 25, 30, 35, 39]


def test_segment_examples():
    transform = SampleSegments(clip_len=8, num_clips=2, test_mode=True)
    middles, ends = sample(transform, 80).tolist()
    assert middles == [5, 15, 25, 35, 45, 55, 65, 75]
    assert ends == [10, 20, 30, 40, 50, 60, 70, 79]
    transform = SampleSegments(clip_len=8, test_mode=True)
    assert sample(transform, 80).tolist() == [middles]


def test_several_segment_clips_are_for_testing():
    with pytest.raises(ValueError, match='num_clips=2 .*set test_mode=True'):
        SampleSegments(clip_len=8, num_clips=2)


# ------------------------------------------------------------------------- both


@pytest.mark.parametrize(
    'sampler',
    [
        dict(type='mmtemporal.SampleDenseClips', frame_interval=8),
        dict(type='mmtemporal.SampleSegments'),
    ],
)
def test_clips_through_the_stock_pipeline(sampler):
    """Every pixel holds its frame number and its column."""
    video = np.zeros((90, 8, 12, 3), dtype=np.uint8)
    video[..., 0] = np.arange(90)[:, None, None]
    video[..., 1] = np.arange(12)
    with DefaultScope.overwrite_default_scope('mmaction'):
        pipeline = Compose(
            [
                dict(sampler, clip_len=8, num_clips=4, test_mode=True),
                dict(type='ArrayDecode'),
                dict(type='ThreeCrop', crop_size=8),
                dict(type='FormatShape', input_format='NCTHW'),
            ]
        )
    results = dict(total_frames=90, start_index=0, array=video, modality='RGB')
    results = pipeline(results)
    imgs = results['imgs']
    assert imgs.shape == (3 * 4, 3, 8, 8, 8)
    # (crops, clips, t): the same clips in every crop.
    frames = imgs[:, 0, :, 0, 0].reshape(3, 4, 8)
    clips = results['frame_inds'].reshape(4, 8)
    np.testing.assert_array_equal(frames, [clips] * 3)
    assert len({tuple(clip) for clip in clips.tolist()}) == 4
    # ThreeCrop takes left, right, middle.
    left_edges = imgs[:, 1, :, 0, 0].reshape(3, -1)
    np.testing.assert_array_equal(
        left_edges, np.broadcast_to([[0], [4], [2]], left_edges.shape)
    )


def test_repr():
    clips = SampleDenseClips(clip_len=8, frame_interval=8, num_clips=10, test_mode=True)
    assert repr(clips) == (
        'SampleDenseClips(clip_len=8, frame_interval=8, num_clips=10, target_fps=30, '
        'test_mode=True)'
    )
    assert repr(SampleSegments(clip_len=8)) == (
        'SampleSegments(clip_len=8, num_clips=1, test_mode=False)'
    )
