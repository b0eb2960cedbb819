"""Files of pipelines with several views, and of configs in other forms."""

import json
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmengine import Config
from torch import nn

ROOT = Path(__file__).parents[2]
main = runpy.run_path(str(ROOT / 'tools/export.py'))['main']
SEGMENTS = dict(type='SampleFrames', clip_len=1, num_clips=4, test_mode=True)
SQUARE = dict(type='Resize', scale=(32, 32), keep_ratio=False)
THREE = (dict(type='Resize', scale=(-1, 36)), dict(type='ThreeCrop', crop_size=36))


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    file = tmp_path_factory.mktemp('video') / 'noise.mp4'
    codec = cv2.VideoWriter_fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(file), codec, 30, (96, 64))
    generator = np.random.default_rng(0)
    for _ in range(30):
        picture = generator.integers(0, 256, (8, 12, 3), dtype=np.uint8)
        writer.write(cv2.resize(picture, (96, 64)))
    writer.release()
    return file


def make_config(sampler, *steps, head='mmtemporal.TINHead', **options):
    backbone = dict(type='mmtemporal.TIN', temporal_stages=(3,), num_segments=4)
    if head == 'TSNHead':
        backbone = dict(type='ResNet', norm_eval=False)
    pipeline = [
        dict(type='DecordInit'),
        sampler,
        dict(type='DecordDecode'),
        *steps,
        dict(type='FormatShape', input_format='NCHW'),
        dict(type='PackActionInputs'),
    ]
    head = dict(type=head, num_classes=5, in_channels=512, average_clips='prob')
    if 'TSN' not in head['type']:
        head['num_segments'] = 4
    return Config(
        dict(
            default_scope='mmaction',
            model=dict(
                type='Recognizer2D',
                backbone=dict(backbone, depth=18),
                cls_head=head,
                data_preprocessor=dict(
                    type='ActionDataPreprocessor',
                    **dict(mean=[110, 120, 130], std=[50, 60, 70]),
                    **options,
                ),
            ),
            test_pipeline=pipeline,
            test_dataloader=dict(dataset=dict(type='VideoDataset', pipeline=pipeline)),
        )
    )


def save(cfg, folder):
    """Write a config and weights whose scores differ from video to video."""
    file = folder / 'config.py'
    if cfg is not None:
        cfg.dump(file)
    model = init_recognizer(Config.fromfile(file), device='cpu')
    nn.init.normal_(model.cls_head.fc_cls.weight, std=0.5)
    torch.save(dict(state_dict=model.state_dict()), folder / 'model.pth')
    return model


def export(folder, *options):
    files = (folder / name for name in ('config.py', 'model.pth'))
    out = ('--out', folder / 'model.pt', '--format', 'torchscript', '--force')
    main([*map(str, (*files, *out, *options))])
    content = {'mmtemporal_view': ''}
    network = torch.jit.load(str(folder / 'model.pt'), _extra_files=content)
    return network, json.loads(content['mmtemporal_view'])


def score(example, network, view, video):
    """Score a video as the example does, of which only onnxruntime is replaced."""
    frames = torch.from_numpy(example.read_view(video, view))
    if view['mean']:
        mean, std = (torch.tensor(view[key]).view(3, 1, 1) for key in ('mean', 'std'))
        frames = (frames - mean) / std
    with torch.no_grad():
        scores = network(frames).double().numpy()
    return torch.tensor(example.softmax(example.average(scores, view['average_clips'])))


@pytest.mark.parametrize(
    ('sampler', 'steps', 'options', 'average'),
    [
        (dict(SEGMENTS, twice_sample=True), THREE, {}, 'prob'),
        # It averages the features of all views, which no average_clips says.
        (SEGMENTS, THREE, dict(head='TSNHead'), 'score'),
        (dict(SEGMENTS, num_clips=8), [SQUARE], {}, 'prob'),
        (SEGMENTS, [SQUARE], dict(to_rgb=True), 'prob'),
    ],
)
@pytest.mark.parametrize(
    'flags', [(), pytest.param(('--normalise',), marks=pytest.mark.slow)]
)
def test_scores_are_those_of_testing(
    sampler, steps, options, average, flags, example, video, tmp_path, capsys
):
    model = save(make_config(sampler, *steps, **options), tmp_path)
    network, view = export(tmp_path, '--check', video, *flags)
    said = f'test_pipeline makes {view["views"]} views of a video'
    assert (said in capsys.readouterr().out) == (view['views'] > 1)
    assert view['average_clips'] == average
    expected = inference_recognizer(model, str(video)).pred_score.double()
    found = score(example, network, view, video)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-3)


def test_a_number_of_frames_that_the_head_takes_for_several_clips(tmp_path):
    cfg = make_config(SEGMENTS, SQUARE)
    cfg.model.cls_head.num_segments = 2
    with pytest.raises((SystemExit, ValueError), match='num_segments'):
        save(cfg, tmp_path)
        export(tmp_path)


PURE_PYTHON = """
from mmaction.datasets.transforms import (
    DecordDecode, DecordInit, FormatShape, PackActionInputs, Resize, SampleFrames)
from mmaction.models import ActionDataPreprocessor, Recognizer3D
from mmtemporal.models.backbones import TAda2D
from mmtemporal.models.heads import TAdaHead

default_scope = 'mmaction'
model = dict(
    type=Recognizer3D,
    backbone=dict(type=TAda2D, depth=18, num_segments=4, temporal_stages=(3,)),
    cls_head=dict(type=TAdaHead, num_classes=5, in_channels=512, average_clips='prob'),
    data_preprocessor=dict(
        type=ActionDataPreprocessor, mean=[110, 120, 130], std=[50, 60, 70],
        format_shape='NCTHW'))
test_pipeline = [
    dict(type=DecordInit),
    dict(type=SampleFrames, clip_len=4, frame_interval=2, num_clips=3, test_mode=True),
    dict(type=DecordDecode),
    dict(type=Resize, scale=(32, 32), keep_ratio=False),
    dict(type=FormatShape, input_format='NCTHW'),
    dict(type=PackActionInputs)]
"""


def test_pure_python_configs(example, video, tmp_path):
    (tmp_path / 'config.py').write_text(PURE_PYTHON)
    model = save(None, tmp_path)
    network, view = export(tmp_path, '--check', video)
    assert (view['frames'], view['views']) == (4, 3)
    expected = inference_recognizer(model, str(video)).pred_score.double()
    found = score(example, network, view, video)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-3)
    network, view = export(tmp_path, '--frames', '6', '--size', '48')
    assert network(torch.randn(2, 6, 3, 48, 48)).shape == (2, 5)
    with pytest.raises(RuntimeError):
        network(torch.randn(2, 12, 3, 48, 48))


def test_frames_in_folders(video, tmp_path, capsys):
    save(make_config(SEGMENTS, SQUARE), tmp_path)
    folder = tmp_path / 'frames'
    folder.mkdir()
    for i in range(1, 31):
        picture = np.full((36, 48, 3), 8 * i, np.uint8)
        cv2.imwrite(str(folder / f'img_{i:05}.jpg'), picture)
    export(tmp_path, '--check', folder, video)
    assert 'on the videos it differs' in capsys.readouterr().out


def test_options_for_one_of_two_pipelines(tmp_path):
    save(make_config(dict(SEGMENTS, twice_sample=True), SQUARE), tmp_path)
    mine = 'test_pipeline.1.twice_sample=False'
    stock = 'test_dataloader.dataset.pipeline.1.twice_sample=False'
    for option in (mine, stock):
        match = r'^error: .* test_pipeline.* test_dataloader.dataset.pipeline'
        with pytest.raises(SystemExit, match=match):
            export(tmp_path, '--cfg-options', option)
    _, view = export(tmp_path, '--cfg-options', mine, stock)
    assert view['views'] == 1


def test_transforms_that_are_refused(tmp_path):
    cfg = make_config(SEGMENTS, SQUARE, dict(type='Flip', flip_ratio=1))
    save(cfg, tmp_path)
    with pytest.raises(SystemExit, match=r"^error: test_pipeline.4.type='Flip'"):
        export(tmp_path)
    assert not (tmp_path / 'model.pt').exists()


def test_fusion_of_tdn_is_kept(tmp_path, capsys):
    cfg = make_config(SEGMENTS, SQUARE)
    backbone = dict(num_segments=8, long_term_stages=(3,), shift_stages=(3,))
    cfg.model.backbone = dict(type='mmtemporal.TDN', depth=18, **backbone)
    cfg.model.cls_head = dict(type='mmtemporal.TDNHead', num_classes=5, in_channels=512)
    sampler = dict(type='mmtemporal.SampleWindows', num_clips=8, test_mode=True)
    for pipeline in (cfg.test_pipeline, cfg.test_dataloader.dataset.pipeline):
        pipeline[1] = sampler
        pipeline[3].scale = (36, 36)
    model = save(cfg, tmp_path)
    network, view = export(tmp_path, '--frames', '4')
    assert 'kept the fusion weights of the training' in capsys.readouterr().out
    assert view['frames'] == 20
    model.backbone.num_segments = 4
    kept = model.backbone.fusion
    cfg.merge_from_dict(
        {
            'model.backbone.num_segments': 4,
            'model.backbone.fusion': kept,
            'model.cls_head.num_segments': 4,
        }
    )
    other = init_recognizer(cfg, str(tmp_path / 'model.pth'), device='cpu')
    frames = torch.randn(1, 20, 3, 36, 36)
    with torch.no_grad():
        expected = other(frames, stage='head')
        torch.testing.assert_close(network(frames), expected, rtol=1e-4, atol=1e-4)
