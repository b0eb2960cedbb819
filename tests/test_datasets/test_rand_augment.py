"""Augmentation of clips: what each operation does, and that a clip stays one."""

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from mmtemporal.datasets.transforms import RandAugment
from mmtemporal.datasets.transforms.rand_augment import _OPERATIONS

FILL = (123, 117, 104)
OF_COLOURS = {'auto_contrast', 'equalize', 'invert', 'posterize', 'solarize'}
OF_COLOURS |= {'solarize_add', 'color', 'contrast', 'brightness'}
OF_POSITIONS = {'rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y'}


@pytest.fixture(autouse=True)
def same_draws():
    np.random.seed(0)


@pytest.fixture
def frame():
    """A frame, 20 wide, 40 high, of colours from 20 to 236."""
    y, x = np.mgrid[:40, :20] / (40, 20)[0]
    colours = np.stack((y, x + 0.2, 1 - y), -1)
    noise = np.random.uniform(-10, 10, colours.shape)
    return (30 + 196 * colours + noise).astype(np.uint8)


def augment(frames, **options):
    with DefaultScope.overwrite_default_scope('mmaction'):
        step = dict(type='mmtemporal.RandAugment', fill=FILL, **options)
        return Compose([step])(dict(imgs=frames))['imgs']


def only(monkeypatch, name):
    for other in {*_OPERATIONS} - {name}:
        monkeypatch.delitem(_OPERATIONS, other)


def test_there_are_fifteen():
    assert {*_OPERATIONS} == OF_COLOURS | OF_POSITIONS | {'sharpness'}
    assert len(_OPERATIONS) == 15


@pytest.mark.parametrize('name', sorted(_OPERATIONS))
def test_all_frames_are_changed_alike(name, frame, monkeypatch):
    only(monkeypatch, name)
    for _ in range(4):
        frames = augment([frame] * 3, num_ops=1, prob=1)
        assert all(x.shape == frame.shape and x.dtype == np.uint8 for x in frames)
        assert np.array_equal(frames[0], frames[1])
        assert np.array_equal(frames[0], frames[2])
        assert not np.array_equal(frames[0], frame)


@pytest.mark.parametrize('name', sorted(OF_COLOURS))
def test_colours_change_without_a_look_at_neighbours(name, frame, monkeypatch):
    only(monkeypatch, name)
    mirrored = augment([frame, frame[::-1, ::-1]], num_ops=1, prob=1)
    assert np.array_equal(mirrored[0], mirrored[1][::-1, ::-1])


@pytest.mark.parametrize('name', sorted(OF_POSITIONS))
def test_the_fill_colour_is_outside_of_a_moved_frame(name, monkeypatch):
    only(monkeypatch, name)
    black = np.zeros((40, 20, 3), np.uint8)
    (moved,) = augment([black], num_ops=1, prob=1)
    filled = (moved == FILL).all(-1)
    assert 0.02 < filled.mean() < 0.5
    assert (moved[~filled] == 0).all(-1).any()


@pytest.mark.parametrize('axis, name', [(1, 'translate_x'), (0, 'translate_y')])
def test_a_frame_moves_by_a_share_of_its_size(axis, name, monkeypatch):
    only(monkeypatch, name)
    black = np.zeros((40, 20, 3), np.uint8)
    (moved,) = augment([black], num_ops=1, prob=1, magnitude=10, magnitude_std=0)
    filled = (moved == FILL).all(-1).all(1 - axis)
    assert filled.mean() == pytest.approx(0.45, abs=0.03)


def test_magnitude_zero_changes_little(frame, monkeypatch):
    for name in ('auto_contrast', 'equalize', 'invert', 'posterize'):
        monkeypatch.delitem(_OPERATIONS, name)  # which have no such magnitude
    (same,) = augment([frame], num_ops=20, prob=1, magnitude=0, magnitude_std=0)
    assert np.abs(same.astype(int) - frame).max() <= 1


@pytest.mark.parametrize('prob', [0, 0.5, 1])
def test_how_often_something_is_done(prob, frame, monkeypatch):
    calls = []
    for name in _OPERATIONS:
        monkeypatch.setitem(_OPERATIONS, name, lambda x, s, fill: calls.append(s) or x)
    for _ in range(200):
        augment([frame], prob=prob)
    assert len(calls) == pytest.approx(800 * prob, abs=60)
    if prob:
        strengths = np.abs(calls)
        assert strengths.mean() == pytest.approx(0.9, abs=0.01)
        assert strengths.std() == pytest.approx(0.05, abs=0.01)
        assert strengths.max() <= 1 and np.mean(np.sign(calls)) < 0.2


def test_the_magnitude_stops_at_ten(frame, monkeypatch):
    calls = []
    for name in _OPERATIONS:
        monkeypatch.setitem(_OPERATIONS, name, lambda x, s, fill: calls.append(s) or x)
    augment([frame], num_ops=50, prob=1, magnitude=10, magnitude_std=10)
    assert np.abs(calls).max() == 1


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(fill=7), 'RandAugment.fill=7, expected 3 numbers'),
        (dict(fill=(-5, 100, 3)), r'RandAugment.fill=\(-5, .* RGB of 0 to 255'),
        (dict(fill=(5, 300, 3)), r'RandAugment.fill=\(5, 300, 3\), .* 0 to 255'),
        (dict(num_ops=0), 'RandAugment.num_ops=0'),
        (dict(magnitude=11), 'RandAugment.magnitude=11, expected at most 10'),
        (dict(magnitude_std=-1), 'RandAugment.magnitude_std=-1'),
        (dict(prob=1.5), 'RandAugment.prob=1.5, expected at most 1'),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        RandAugment(**dict(dict(fill=FILL), **options))


def test_a_mean_is_rounded(monkeypatch):
    only(monkeypatch, 'translate_x')
    step = RandAugment(fill=(122.7709, 116.7460, 104.0937), prob=1)
    assert step.fill == FILL
    (moved,) = step(dict(imgs=[np.zeros((40, 20, 3), np.uint8)]))['imgs']
    assert (moved == FILL).all(-1).any()


@pytest.mark.parametrize(
    'shape, dtype', [((8, 8, 3), 'float32'), ((8, 8), 'uint8'), ((8, 8, 4), 'uint8')]
)
def test_other_frames_are_refused(shape, dtype):
    with pytest.raises(ValueError, match=f'RandAugment got .* and {dtype}, expected'):
        RandAugment(fill=FILL)(dict(imgs=[np.zeros(shape, dtype)]))


def test_it_says_what_it_is():
    assert repr(RandAugment(fill=FILL)) == (
        'RandAugment(fill=(123, 117, 104), num_ops=4, magnitude=9, '
        'magnitude_std=0.5, prob=0.5)'
    )
