"""Samplers that do not fit a backbone, and metrics that do not fit a head."""

import pytest
import torch
from mmaction.evaluation import AccMetric
from mmaction.models import Recognizer3D
from mmaction.utils import register_all_modules
from mmengine import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from parity import CONFIGS
from stock_config import METHODS, build_small, small_config

from mmtemporal.config_types import is_type
from mmtemporal.engine.check_config_hook import check_metrics, check_samplers
from mmtemporal.registry import MODELS

SHIPPED = sorted(CONFIGS.glob('recognition/*/*.py'))


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_samplers_fit(path):
    register_all_modules()
    init_default_scope('mmaction')
    cfg = Config.fromfile(path)
    backbone = cfg.model.backbone
    if not backbone.type.startswith('mmtemporal.'):
        return  # the baseline
    # What is asked of a recognizer, without building the large ones.
    kind = MODELS.get(f'mmaction.{cfg.model.type}')
    recognizer = kind.__new__(kind)
    torch.nn.Module.__init__(recognizer)
    recognizer.backbone = torch.nn.Module()
    recognizer.backbone.num_segments = backbone.num_segments
    if backbone.type == 'mmtemporal.TDN':
        recognizer.backbone.frames_per_segment = 5
    for split in ('train', 'val', 'test'):
        pipeline = cfg[f'{split}_dataloader'].dataset
        pipeline = pipeline.get('dataset', pipeline).pipeline
        check_samplers(recognizer, Compose(pipeline))


def sampler(**options):
    init_default_scope('mmaction')
    return Compose([dict(options)])


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return build_small('TANet', tmp_path_factory.mktemp('data'))  # of four frames


@pytest.mark.parametrize(
    'options',
    [
        dict(type='SampleFrames', clip_len=1, num_clips=4),
        dict(type='SampleFrames', clip_len=1, num_clips=4, twice_sample=True),
        dict(type='SampleFrames', clip_len=4, num_clips=10),
        dict(type='DenseSampleFrames', clip_len=1, num_clips=4),
        dict(type='UniformSample', clip_len=4),
    ],
)
def test_views_of_whole_clips(model, options):
    check_samplers(model, sampler(**options))


@pytest.mark.parametrize(
    'options',
    [
        dict(type='SampleFrames', clip_len=1, num_clips=8),
        dict(type='SampleFrames', clip_len=1, num_clips=3),
        dict(type='SampleFrames', clip_len=2, num_clips=4),
        dict(
            type='mmtemporal.SkipBroken',
            transforms=[dict(type='SampleFrames', clip_len=1, num_clips=8)],
        ),
    ],
)
def test_parts_of_a_video_are_no_views(model, options):
    with pytest.raises(ValueError, match='num_segments=4; set .* in it'):
        check_samplers(model, sampler(**options))


def test_a_backbone_for_clips_of_any_length(model, monkeypatch):
    monkeypatch.setattr(model.backbone, 'num_segments', None)
    check_samplers(model, sampler(type='SampleFrames', clip_len=7, num_clips=3))


@pytest.mark.parametrize(
    'options',
    [
        dict(type='SampleFrames', clip_len=1, num_clips=16),
        dict(type='UniformSample', clip_len=1),
    ],
)
def test_single_frames_are_no_clips_of_any_length(options):
    recognizer = Recognizer3D.__new__(Recognizer3D)
    torch.nn.Module.__init__(recognizer)
    recognizer.backbone = torch.nn.Module()
    recognizer.backbone.num_segments = None
    with pytest.raises(ValueError, match='clip_len=1 .* single frames.*; set clip_len'):
        check_samplers(recognizer, sampler(**options))


def test_metrics_for_one_label(model):
    check_metrics(model, [AccMetric()])
    model.cls_head.multi_class = True
    with pytest.raises(ValueError, match='metric_list to .*mean_average_precision'):
        check_metrics(model, [AccMetric()])
    check_metrics(model, [AccMetric(metric_list=('mean_average_precision',))])
    model.cls_head.multi_class = False


@pytest.mark.parametrize('name', METHODS)
def test_a_test_stops_before_the_first_video(name, tmp_path):
    """In the shipped configs the hook is there."""
    (tmp_path / 'val').mkdir()
    (tmp_path / 'val/a.mp4').write_bytes(b'no video')
    (tmp_path / 'val.txt').write_text('val/a.mp4 0\n')
    cfg = small_config(name, tmp_path)
    cfg.work_dir = str(tmp_path / 'work')
    sampler = next(s for s in cfg.test_dataloader.dataset.pipeline if 'clip_len' in s)
    # In the others they are views.
    sampler['clip_len' if is_type(sampler, 'UniformSample') else 'num_clips'] = 12
    with pytest.raises(ValueError, match='(num_clips|clip_len)=4 in it'):
        Runner.from_cfg(cfg).test()
