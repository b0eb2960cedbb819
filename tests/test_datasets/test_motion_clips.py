"""What the motion clips show: every motion, and its reversal in time."""

import cv2
import numpy as np
import pytest
from mmaction.datasets import VideoDataset
from mmengine.registry import DefaultScope
from small_clips import SMALL, read_annotations, read_video

from mmtemporal.datasets import CLASS_NAMES, MIRRORED_LABELS, draw_clip
from mmtemporal.datasets.motion_drawing import draw_motion_clip

# What SampleFrames(clip_len=1, num_clips=8, test_mode=True) takes of 24 frames.
SAMPLED = np.arange(8) * 3 + 1


def test_class_names_and_mirrored_labels():
    assert len(set(CLASS_NAMES)) == 8
    assert MIRRORED_LABELS == (1, 0, 3, 2, 5, 4, 7, 6)


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


def test_unknown_label():
    with pytest.raises(ValueError, match='label=8'):
        draw_motion_clip(np.random.default_rng(0), 8, 32, 8)
