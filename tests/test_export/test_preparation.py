"""The example prepares a video as the test pipeline of a config does."""

import json
from dataclasses import asdict

import cv2
import numpy as np
import pytest
from drawn_pipelines import SAME, SAMPLERS, make_config, pictures
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import TRANSFORMS

from mmtemporal.datasets.input_shape import input_shape
from mmtemporal.datasets.read_video import read_video
from mmtemporal.export import split_views, view_of

SQUARE = dict(type='Resize', scale=(32, 32), keep_ratio=False)


def plain_view(cfg):
    """Return the view as programs read it from the file."""
    return json.loads(json.dumps(asdict(view_of(cfg))))


@pytest.mark.parametrize('name', SAMPLERS)
def test_frames_are_those_of_the_sampler(name, example):
    @settings(SAME, max_examples=150)
    @given(SAMPLERS[name], st.integers(1, 400), st.floats(5, 120))
    def check(sampler, num_frames, fps):
        results = dict(total_frames=num_frames, start_index=0, avg_fps=fps)
        expected = TRANSFORMS.build(sampler)(results)['frame_inds']
        view = plain_view(make_config('Recognizer3D', sampler, SQUARE))
        found = example.find_frames(view, num_frames, fps)
        assert found.tolist() == expected.tolist()
        assert view['views'] * view['frames'] == len(found)

    check()


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Videos of several shapes, with edges that show wrong positions."""
    folder, files = tmp_path_factory.mktemp('videos'), []
    for width, height, fps in (96, 64, 30), (60, 90, 60), (64, 64, 12.5):
        file = folder / f'{width}x{height}.mp4'
        codec = cv2.VideoWriter_fourcc(*'mp4v')
        writer = cv2.VideoWriter(str(file), codec, fps, (width, height))
        y, x = np.mgrid[:height, :width]
        for i in range(40):
            stripes = ((x + i) // 7 + y // 9) % 2 * 90
            picture = np.stack([x * 2, y * 2, np.full_like(x, 4 * i)], 2)
            writer.write((picture // 2 + stripes[..., None]).astype(np.uint8))
        writer.release()
        files.append(file)
    return files


def read_by_pipeline(cfg, video):
    inputs = read_video(cfg, video)['inputs'][0]
    return split_views(inputs, input_shape(cfg)).numpy().astype(int)


def check_equal(example, cfg, video):
    expected = read_by_pipeline(cfg, video)
    view = plain_view(cfg)
    found = example.read_view(video, view).astype(int)
    assert found.shape == expected.shape
    assert found.shape == (view['views'], view['frames'], 3, *found.shape[-2:])
    assert (view['height'], view['width']) == found.shape[-2:]
    # OpenCV interpolates with numbers of 11 bits; several resizes add up.
    assert np.abs(found - expected).max() <= 3


def test_pictures_are_those_of_the_pipeline(example, videos):
    @settings(SAME, max_examples=60)
    @given(pictures(), st.sampled_from(videos))
    def check(steps, video):
        sampler = dict(type='SampleFrames', clip_len=3, num_clips=2, test_mode=True)
        check_equal(example, make_config('Recognizer3D', sampler, *steps), video)

    check()


SEGMENTS = dict(type='SampleFrames', clip_len=1, num_clips=4, test_mode=True)


@pytest.mark.parametrize(
    ('sampler', 'views'),
    [
        (SEGMENTS, 3),
        (dict(SEGMENTS, twice_sample=True), 6),
        (dict(SEGMENTS, num_clips=8), 6),
        (dict(SEGMENTS, type='DenseSampleFrames', num_sample_positions=5), 15),
        (dict(type='UniformSample', clip_len=4, num_clips=2, test_mode=True), 6),
        (dict(SEGMENTS, clip_len=4, num_clips=5), 15),
    ],
)
def test_views_of_2d_recognizers(sampler, views, example, videos):
    crops = [
        dict(type='Resize', scale=(-1, 40)),
        dict(type='ThreeCrop', crop_size=40),
    ]
    cfg = make_config('Recognizer2D', sampler, *crops, num_segments=4)
    view = view_of(cfg)
    assert (view.views, view.frames) == (views, 4)
    for video in videos[:2]:
        check_equal(example, cfg, video)


def test_windows_of_tdn(example, videos):
    sampler = dict(
        type='mmtemporal.SampleWindows',
        **dict(clip_len=5, num_clips=4, num_views=2, test_mode=True),
    )
    for layout in ('NCHW', 'NCTHW'):
        cfg = make_config('Recognizer2D', sampler, SQUARE, type='TDN', num_segments=4)
        cfg.model.data_preprocessor.format_shape = layout
        cfg.test_pipeline[-2].input_format = layout
        view = view_of(cfg)
        assert (view.views, view.frames) == (2, 20)
        check_equal(example, cfg, videos[0])


@pytest.mark.parametrize(
    'opening',
    ['OpenCVInit', 'mmtemporal.StrictDecordInit', 'mmtemporal.StrictPyAVInit'],
)
def test_other_decoders(opening, example, videos):
    sampler = dict(
        type='SampleFrames',
        **dict(clip_len=4, frame_interval=3, target_fps=15, test_mode=True),
    )
    cfg = make_config('Recognizer3D', sampler, SQUARE, opening=opening)
    if opening.startswith('mmtemporal'):
        cfg.test_pipeline[2].type = 'DecordDecode'
    check_equal(example, cfg, videos[1])
    # OpenCV does not say how many frames a second there are.
    assert view_of(cfg).sampling['reads_fps'] == (opening != 'OpenCVInit')


def test_pipelines_for_folders_of_frames(example, videos):
    sampler = dict(type='SampleFrames', clip_len=4, target_fps=15, test_mode=True)
    cfg = make_config('Recognizer3D', sampler, SQUARE)
    cfg.test_pipeline.pop(0)
    cfg.test_pipeline[1].type = 'RawFrameDecode'
    check_equal(example, cfg, videos[1])


def test_frames_without_the_crop_are_an_error(example, videos):
    for kind, size in (('CenterCrop', 100), ('ThreeCrop', 20)):
        crop = dict(type=kind, crop_size=size)
        view = plain_view(make_config('Recognizer3D', SEGMENTS, crop))
        with pytest.raises(ValueError, match=f'frames of 96 x 64 have no .*{size}'):
            example.read_view(videos[0], view)


def test_average_of_views(example):
    scores = np.array([[1.0, 2.0, 4.0], [3.0, 0.0, -1.0]])
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    by_prob = example.softmax(example.average(scores, 'prob'))
    np.testing.assert_allclose(by_prob, shares.mean(0))
    np.testing.assert_allclose(example.average(scores, 'score'), scores.mean(0))
    np.testing.assert_array_equal(example.average(scores[:1], 'prob'), scores[0])
