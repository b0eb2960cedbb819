"""Export refuses what a file could not say, in one sentence that names it."""

import pytest
from drawn_pipelines import make_config
from mmaction.datasets.transforms import CenterCrop, DecordInit, SampleFrames
from mmaction.models.recognizers import Recognizer3D
from mmaction.registry import MODELS, TRANSFORMS
from mmengine import Config

from mmtemporal.datasets.transforms import SampleWindows
from mmtemporal.export import view_of

CLIP = dict(type='SampleFrames', clip_len=8, test_mode=True)
SQUARE = dict(type='Resize', scale=(32, 32), keep_ratio=False)


@TRANSFORMS.register_module()
class OwnTransform:
    """A transform of a user."""

    def __init__(self, size=3):
        self.size = size

    def __call__(self, results):
        return results


class OwnCrop(CenterCrop):
    """A transform of a user that may do more than the stock one."""


def refused(cfg, match):
    with pytest.raises(ValueError, match=match) as error:
        view_of(cfg)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('step', 'match'),
    [
        (dict(type='OwnTransform'), r"test_pipeline.4.type='OwnTransform' cannot"),
        (dict(type=OwnTransform), r"test_pipeline.4.type='OwnTransform' cannot"),
        (dict(type=OwnCrop, crop_size=20), "type='OwnCrop' cannot"),
        (dict(type='NoSuchTransform'), "type='NoSuchTransform' cannot"),
        (dict(type='elsewhere.CenterCrop', crop_size=20), "type='CenterCrop' cannot"),
        (dict(type='ColorJitter'), "type='ColorJitter' cannot"),
        (dict(type='Flip', flip_ratio=1), "type='Flip' cannot"),
        (dict(type='RandomRescale', scale_range=(20, 40)), "type='RandomRescale' can"),
        (dict(type='RandomResizedCrop'), "type='RandomResizedCrop' cannot"),
        (dict(type='Fuse'), "type='Fuse' cannot"),
        (dict(SQUARE, lazy=True), 'Resize.*lazy=True.* expected lazy=False'),
        (dict(type='CenterCrop', crop_size=20, lazy=True), 'CenterCrop.*lazy=False'),
        (dict(SQUARE, interpolation='area'), "Resize.*area.*'bilinear'"),
        (dict(SQUARE, scale=(-1, 32)), r'Resize.*expected a scale of \(width, height'),
        (dict(SQUARE, scale=0.5), r'Resize.*expected a scale of \(width, height'),
        (dict(SQUARE, scale=[32, 32]), 'test_pipeline.4, Resize, cannot be built: T'),
        (dict(type='CenterCrop', crop_size=40), 'CenterCrop.*within the 32 x 32'),
    ],
)
def test_pictures(step, match):
    refused(make_config('Recognizer3D', CLIP, SQUARE, step), match)


@pytest.mark.parametrize(
    ('sampler', 'match'),
    [
        (dict(CLIP, test_mode=False), 'SampleFrames.*expected test_mode=True'),
        (dict(CLIP, temporal_jitter=True), 'SampleFrames.*temporal_jitter=False'),
        (dict(CLIP, twice_sample=True), 'SampleFrames.*twice_sample=False'),
        (dict(type='UniformSample', clip_len=8), 'UniformSample.*test_mode=True'),
        (
            dict(type='UniformSampleFrames', clip_len=8, test_mode=True, seed=None),
            'UniformSampleFrames.*expected a seed',
        ),
        (
            dict(type=SampleWindows, num_clips=8, random_views=True, test_mode=True),
            'SampleWindows.*expected random_views=False',
        ),
        (dict(type='UntrimmedSampleFrames', clip_len=8), "type='UntrimmedSampleFr"),
        (dict(type='SampleAVAFrames', clip_len=8), "type='SampleAVAFrames' cannot"),
    ],
)
def test_samplers(sampler, match):
    refused(make_config('Recognizer3D', sampler, SQUARE), match)


def test_what_is_around_the_pictures():
    def refuse(match, i, **changes):
        cfg = make_config('Recognizer3D', CLIP, SQUARE)
        cfg.test_pipeline[i].update(changes)
        refused(cfg, match)

    refuse("type='PyAVInit' cannot", 0, type='PyAVInit')
    refuse("DecordDecode.*efficient.*mode='accurate'", 2, mode='efficient')
    refuse('FormatShape.*collapse=False', 4, collapse=True)
    refuse('FormatShape of test_pipeline gives NCHW, but', 4, input_format='NCHW')
    refuse('FormatShape.*NPTCHW.*expected', 4, input_format='NPTCHW')
    refuse('PackActionInputs.*collect_keys=None', 5, collect_keys=('imgs',))


def test_images_read_by_another_library():
    cfg = make_config('Recognizer3D', CLIP, SQUARE)
    decode = dict(type='RawFrameDecode', decoding_backend='pillow')
    cfg.test_pipeline[:3] = [CLIP, decode]
    refused(cfg, "RawFrameDecode.*pillow.*decoding_backend='cv2'")


def test_order_of_the_transforms():
    good = make_config('Recognizer3D', CLIP, SQUARE).test_pipeline
    for steps in (
        good[1:],
        good[:-1],
        [*good[:2], *good[1:]],
        [good[0], good[2], good[1], *good[3:]],
        [*good[:3], good[4], good[3], good[5]],
        [],
    ):
        cfg = make_config('Recognizer3D', CLIP, SQUARE)
        cfg.test_pipeline = steps
        refused(cfg, 'expected one DecordInit .* one sampler, .* in this order')


def test_pipelines_without_a_size():
    cfg = make_config('Recognizer3D', CLIP, dict(type='Resize', scale=(-1, 32)))
    refused(cfg, 'cannot tell the size')
    cfg.pop('test_pipeline')
    refused(cfg, 'no test_pipeline')


@MODELS.register_module()
class OwnRecognizer3D(Recognizer3D):
    """A recognizer of a user."""


def test_recognizers():
    clips = dict(CLIP, num_clips=3)
    for kind in ('mmaction.Recognizer3D', Recognizer3D, 'OwnRecognizer3D'):
        cfg = make_config('Recognizer3D', clips, SQUARE)
        cfg.model.type = kind
        view = view_of(cfg)
        assert (view.frames, view.views) == (8, 3)
    cfg.model.type = 'RecognizerAudio'
    refused(cfg, 'model.type=RecognizerAudio is no Recognizer2D or Recognizer3D')
    cfg.model.type = 'mmaction.MMRecognizer3D'
    refused(cfg, 'model.type=MMRecognizer3D is no Recognizer2D or Recognizer3D')
    cfg = make_config('Recognizer3D', CLIP, SQUARE)
    cfg.model.data_preprocessor.type = 'mmaction.MultiModalDataPreprocessor'
    refused(cfg, 'type=MultiModalDataPreprocessor is no ActionDataPreprocessor')
    cfg = make_config('Recognizer3D', CLIP, SQUARE)
    cfg.test_dataloader = dict(dataset=dict(modality='Flow'))
    refused(cfg, "test_dataloader.dataset.modality='Flow'")


def test_frames_that_are_no_whole_views():
    segments = dict(type='SampleFrames', clip_len=1, num_clips=25, test_mode=True)
    cfg = make_config('Recognizer2D', segments, SQUARE, num_segments=8)
    refused(cfg, 'samples 25 frames, no multiple .* model.backbone.num_segments')


def test_types_in_all_their_forms():
    crop = dict(type=CenterCrop, crop_size=20)
    wrapped = dict(
        type='mmtemporal.SkipBroken',
        transforms=[dict(type=DecordInit), dict(CLIP, type=SampleFrames)],
    )
    cfg = make_config('Recognizer3D', CLIP, SQUARE, crop)
    other = Config(cfg.to_dict())
    other.test_pipeline = [wrapped, dict(type='mmaction.DecordDecode')]
    other.test_pipeline += cfg.test_pipeline[3:]
    assert view_of(cfg) == view_of(other)
