"""Testing with several clips and crops of a video, and in parts of a batch."""

import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from selection import slow_but
from stock_config import FRAME_METHODS, SIZE, T, small_config

WIDE = dict(type='Resize', scale=(SIZE + 8, SIZE), keep_ratio=False)
THREE_CROPS = dict(type='ThreeCrop', crop_size=SIZE)


@pytest.fixture(scope='module', params=slow_but(['TIN'], FRAME_METHODS))
def name(request):
    return request.param


@pytest.fixture(scope='module')
def build(name, data_root):
    """Build the recognizer, always with the same weights."""

    def build(average_clips='prob', **test_cfg):
        cfg = small_config(name, data_root)
        cfg.model.cls_head.average_clips = average_clips
        cfg.model.test_cfg = test_cfg or None
        torch.manual_seed(0)
        model = init_recognizer(cfg, device='cpu')
        # Scores that differ, so that the average of softmaxes is not their middle.
        model.cls_head.fc_cls.weight.data.normal_()
        return model

    return build


def sample_frames(**options):
    options.setdefault('type', 'SampleFrames')
    return dict(clip_len=1, frame_interval=1, num_clips=T, test_mode=True, **options)


def dense_frames(positions):
    return sample_frames(
        type='DenseSampleFrames', sample_range=6, num_sample_positions=positions
    )


def load_views(clip, sampling, *spatial):
    """Run a test pipeline of stock transforms on a file."""
    pipeline = [
        dict(type='DecordInit'),
        sampling,
        dict(type='DecordDecode'),
        *spatial,
        dict(type='FormatShape', input_format='NCHW'),
        dict(type='PackActionInputs'),
    ]
    init_default_scope('mmaction')
    data = dict(filename=clip, label=3, start_index=0, modality='RGB')
    return pseudo_collate([Compose(pipeline)(data)])


def predict(model, data):
    with torch.no_grad():
        (sample,) = model.test_step(data)
    return sample.pred_score


def score_each_clip(model, data):
    """Return the scores before the softmax of every T frames by themselves."""
    frames = model.data_preprocessor(data)['inputs'][0]
    with torch.no_grad():
        scores = [model(clip[None], stage='head') for clip in frames.split(T)]
    return torch.cat(scores)


VIEWS = {
    'one': (1, [sample_frames()]),
    'three crops': (3, [sample_frames(), WIDE, THREE_CROPS]),
    'two samples': (2, [sample_frames(twice_sample=True)]),
    'two positions': (2, [dense_frames(2)]),
    'two samples of three crops': (
        6,
        [sample_frames(twice_sample=True), WIDE, THREE_CROPS],
    ),
}


@pytest.mark.parametrize('average_clips', ['prob', 'score'])
@pytest.mark.parametrize('views', VIEWS)
def test_prediction_is_the_average_of_the_views(build, clip, views, average_clips):
    number, transforms = VIEWS[views]
    model = build(average_clips)
    data = load_views(clip, *transforms)
    assert data['inputs'][0].shape == (number * T, 3, SIZE, SIZE)
    scores = score_each_clip(model, data)
    assert len(scores) == number
    if number > 1:
        assert scores.std(0).max() > 1e-3  # the views differ
    expected = scores.softmax(1) if average_clips == 'prob' else scores
    torch.testing.assert_close(predict(model, data), expected.mean(0))


def test_three_crops_are_whole_clips(clip):
    whole = load_views(clip, sample_frames(), WIDE)['inputs'][0]
    crops = load_views(clip, sample_frames(), WIDE, THREE_CROPS)['inputs'][0].split(T)
    for crop, left in zip(crops, (0, 8, 4)):
        assert torch.equal(crop, whole[..., left : left + SIZE])


def test_two_samples_are_whole_clips(clip):
    first = load_views(clip, sample_frames())['inputs'][0]
    both = load_views(clip, sample_frames(twice_sample=True))['inputs'][0]
    # Of two frames a segment the second, then the first.
    frames = load_views(clip, {**sample_frames(), 'num_clips': 8})['inputs'][0]
    assert torch.equal(both[:T], first)
    assert torch.equal(both, torch.cat((frames[1::2], frames[::2])))


def test_two_positions_are_whole_clips(clip):
    both = load_views(clip, dense_frames(2))['inputs'][0]
    frames = load_views(clip, {**sample_frames(), 'num_clips': 8})['inputs'][0]
    # Ranges of six of the eight frames, from the first and from the third.
    assert torch.equal(both, frames[[0, 1, 2, 3, 2, 3, 4, 5]])


@pytest.mark.parametrize(
    'test_cfg, calls',
    [
        (dict(), 1),
        (dict(max_testing_views=T), 6),
        (dict(max_testing_views=2 * T), 3),
        (dict(max_testing_views=4 * T), 2),  # which leaves a rest
        (dict(max_testing_views=8 * T), 1),
        (dict(fcn_test=True), 1),
        (dict(fcn_test=True, num_segs=T), 1),
        (dict(fcn_test=True, max_testing_views=2 * T), 3),
    ],
)
def test_parts_and_fcn_test_change_nothing(build, clip, test_cfg, calls):
    data = load_views(clip, *VIEWS['two samples of three crops'][1])
    expected = predict(build(), data)
    model = build(**test_cfg)
    sizes = []
    model.backbone.register_forward_hook(lambda _, x, y: sizes.append(len(x[0])))
    torch.testing.assert_close(predict(model, data), expected)
    assert len(sizes) == calls and sum(sizes) == 6 * T


def test_several_videos_at_once(build, clip, data_root):
    transforms = VIEWS['two samples of three crops'][1]
    files = (clip, str(data_root / 'val/000003.mp4'))
    single = [load_views(file, *transforms) for file in files]
    batch = {key: single[0][key] + single[1][key] for key in single[0]}
    model = build('score', max_testing_views=2 * T)
    with torch.no_grad():
        together = [sample.pred_score for sample in model.test_step(batch)]
    assert not torch.allclose(*together, atol=1e-2)
    for score, data in zip(together, single):
        torch.testing.assert_close(score, predict(model, data))


def test_parts_that_cut_clips_are_refused(build, clip):
    model = build(max_testing_views=T + 1)
    with pytest.raises(AssertionError, match='a multiple of num_segments'):
        predict(model, load_views(clip, sample_frames()))
