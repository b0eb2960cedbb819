"""Other frames: what has to change with them in a config, and what must not."""

import pytest
from drawn_pipelines import make_config
from mmaction.models.heads import TSMHead
from mmaction.registry import MODELS
from mmengine import Config
from parity import CONFIGS

from mmtemporal.export import change_frames, change_size, view_of

SEGMENTS = dict(type='SampleFrames', clip_len=1, num_clips=8, test_mode=True)
SQUARE = dict(type='Resize', scale=(32, 32), keep_ratio=False)


def changed(cfg, changes):
    cfg = Config(cfg.to_dict())
    cfg.merge_from_dict(changes)
    return cfg


def shipped(pattern):
    return Config.fromfile(sorted(CONFIGS.glob(f'recognition/{pattern}'))[0])


@pytest.mark.parametrize('old', [8, 16])
def test_tdn_keeps_its_fusion(old):
    cfg = shipped('tdn/tdn_scratch-r18*motionclips*')
    cfg.merge_from_dict({'model.backbone.num_segments': old})
    other = changed(cfg, change_frames(cfg, 24 - old))
    trained, exported = (MODELS.build(c.model.backbone) for c in (cfg, other))
    assert exported.num_segments == 24 - old
    assert exported.fusion == trained.fusion
    # What the config says itself stays.
    cfg.model.backbone.fusion = (0.9, 0.1)
    assert 'model.backbone.fusion' not in change_frames(cfg, 16)


@pytest.mark.parametrize('head', ['mmtemporal.TAMHead', 'TSMHead', TSMHead])
def test_heads_that_count_by_default(head):
    cfg = make_config('Recognizer2D', SEGMENTS, SQUARE, num_segments=8)
    cfg.model.cls_head = dict(type=head)
    changes = change_frames(cfg, 16)
    assert changes == {
        'model.backbone.num_segments': 16,
        'model.cls_head.num_segments': 16,
        'test_pipeline.1.num_clips': 16,
    }
    assert view_of(changed(cfg, changes)).frames == 16
    cfg.model.cls_head = dict(type='mmtemporal.TAdaHead', num_segments=1)
    assert 'model.cls_head.num_segments' not in change_frames(cfg, 16)


def test_convolutions_of_another_backbone():
    conv = dict(type='mmtemporal.TAdaConv2d', num_segments=8)
    cfg = make_config('Recognizer2D', SEGMENTS, SQUARE, type='ResNet', conv_cfg=conv)
    cfg.model.cls_head = dict(type='TSNHead')
    assert change_frames(cfg, 4) == {
        'model.backbone.conv_cfg.num_segments': 4,
        'test_pipeline.1.num_clips': 4,
    }


@pytest.mark.parametrize(
    ('recognizer', 'sampler', 'views'),
    [
        ('Recognizer2D', SEGMENTS, 1),
        ('Recognizer2D', dict(SEGMENTS, num_clips=24), 3),
        ('Recognizer2D', dict(SEGMENTS, clip_len=8, num_clips=3), 3),
        ('Recognizer2D', dict(type='UniformSample', clip_len=8, num_clips=2), 2),
        ('Recognizer3D', dict(SEGMENTS, clip_len=8, num_clips=3), 3),
        ('mmaction.Recognizer3D', dict(SEGMENTS, clip_len=8, num_clips=3), 3),
        ('Recognizer3D', dict(type='UniformSampleFrames', clip_len=8), 1),
    ],
)
def test_every_sampler_gives_the_frames(recognizer, sampler, views):
    sampler = dict(sampler, test_mode=True)
    cfg = make_config(recognizer.removeprefix('mmaction.'), sampler, SQUARE)
    cfg.model.type = recognizer
    if recognizer == 'Recognizer2D':
        cfg.model.backbone.num_segments = 8
    view = view_of(changed(cfg, change_frames(cfg, 4)))
    assert (view.frames, view.views) == (4, views)


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        (
            [('Resize', (-1, 256)), ('CenterCrop', 224)],
            [{'fit': [None, 128]}, {'center_crop': [112, 112]}],
        ),
        (
            [('mmaction.Resize', (-1, 256)), ('mmaction.ThreeCrop', 256)],
            [{'fit': [None, 112]}, {'three_crops': [112, 112]}],
        ),
        (
            [('stretch', (340, 256)), ('TenCrop', 224)],
            [{'resize': [170, 128]}, {'ten_crops': [112, 112]}],
        ),
        (
            [('Resize', (340, 256)), ('Resize', 0.5), ('CenterCrop', (128, 64))],
            [{'fit': [595, 448]}, {'scale': 0.875}, {'center_crop': [112, 112]}],
        ),
        ([('stretch', (64, 32))], [{'resize': [112, 112]}]),
    ],
)
def test_sizes_change_in_proportion(before, after):
    steps = []
    for kind, size in before:
        key = 'crop_size' if kind.endswith('Crop') else 'scale'
        steps.append({'type': kind, key: size})
        if kind == 'stretch':
            steps[-1].update(type='Resize', keep_ratio=False)
    cfg = make_config('Recognizer3D', dict(SEGMENTS, clip_len=8), *steps)
    view = view_of(changed(cfg, change_size(cfg, 112)))
    assert view.steps == after
    assert (view.height, view.width) == (112, 112)
