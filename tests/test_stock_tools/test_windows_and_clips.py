"""Networks that take more than single frames, with stock heads, views and tools.

TDN takes windows of frames, as (3, k, h, w) or as k images each; TAda2D takes clips
from a 3-D recognizer, or frames from a 2-D one.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmaction.apis import init_recognizer
from mmaction.structures import ActionDataSample
from mmaction.utils import GradCAM
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from stock_config import NUM_CLASSES, SIZE, T, small_config
from torch import nn

K = 5  # frames of a window
C = 512


def build(name, data_root, layout='NCTHW', head=None, **test_cfg):
    """Build the small recognizer, always with the same weights."""
    cfg = small_config(name, data_root)
    if name == 'TAda2D' and layout == 'NCHW':
        cfg.model.type = 'Recognizer2D'
        cfg.model.cls_head.num_segments = T
    cfg.model.data_preprocessor.format_shape = layout
    cfg.model.test_cfg = test_cfg or None
    if head is not None:
        sizes = dict(num_classes=NUM_CLASSES, in_channels=C, dropout_ratio=0)
        sizes = {} if head['type'] == 'FeatureHead' else sizes
        cfg.model.cls_head = dict(average_clips='prob', **sizes)
        cfg.model.cls_head.update(head)
    torch.manual_seed(0)
    model = init_recognizer(cfg, device='cpu')
    torch.manual_seed(1)
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.05)
    for parameter in model.cls_head.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


def load_views(name, layout, views=1, crops=1):
    """Run a test pipeline on frames that are in memory."""
    sampler = {
        'TDN': dict(
            type='mmtemporal.SampleWindows',
            num_clips=T,
            num_views=views,
            test_mode=True,
        ),
        'TAda2D': dict(
            type='UniformSample', clip_len=T, num_clips=views, test_mode=True
        ),
    }[name]
    pipeline = [sampler, dict(type='ArrayDecode')]
    if crops == 3:
        pipeline.append(dict(type='ThreeCrop', crop_size=SIZE))
    pipeline += [
        dict(type='FormatShape', input_format=layout),
        dict(type='PackActionInputs'),
    ]
    init_default_scope('mmaction')
    width = SIZE + (8 if crops == 3 else 0)
    array = np.random.RandomState(0).randint(256, size=(30, SIZE, width, 3), dtype='u1')
    data = dict(
        array=array,
        modality='RGB',
        start_index=0,
        total_frames=len(array),
        label=1,
        img_shape=(SIZE, width),
    )
    return pseudo_collate([Compose(pipeline)(data)])


def predict(model, data):
    with torch.no_grad():
        return torch.stack([sample.pred_score for sample in model.test_step(data)])


def batch(name, videos=2):
    """Return videos of one view in both layouts: clips, and the same as images."""
    torch.manual_seed(2)
    if name == 'TDN':
        clips = torch.randint(256, (videos, T, 3, K, SIZE, SIZE), dtype=torch.uint8)
    else:
        clips = torch.randint(256, (videos, 1, 3, T, SIZE, SIZE), dtype=torch.uint8)
    images = clips.transpose(2, 3).flatten(1, 2)
    samples = [ActionDataSample().set_gt_label(i) for i in range(videos)]
    return {
        layout: dict(inputs=list(inputs), data_samples=samples)
        for layout, inputs in (('NCTHW', clips), ('NCHW', images))
    }


@pytest.fixture(params=['TDN', 'TAda2D'])
def name(request):
    return request.param


def test_both_layouts_give_the_same_scores(name, data_root):
    data = batch(name)
    scores = predict(build(name, data_root), data['NCTHW'])
    assert not torch.allclose(scores[0], scores[1], atol=1e-4)
    images = predict(build(name, data_root, 'NCHW'), data['NCHW'])
    torch.testing.assert_close(images, scores)


@pytest.mark.parametrize(
    ('name', 'layout', 'head'),
    [
        ('TDN', 'NCTHW', dict(type='TSMHead', num_segments=T)),
        ('TDN', 'NCHW', dict(type='TSMHead', num_segments=T)),
        ('TDN', 'NCTHW', dict(type='TSNHead')),
        ('TAda2D', 'NCTHW', dict(type='I3DHead')),
        ('TAda2D', 'NCHW', dict(type='TSMHead', num_segments=T)),
        ('TAda2D', 'NCHW', dict(type='TSNHead')),
    ],
)
def test_stock_heads_predict_as_ours(name, layout, head, data_root):
    data = batch(name)
    ours = build(name, data_root)
    stock = build(name, data_root, layout, head)
    assert type(stock.cls_head).__name__ == head['type']
    stock.load_state_dict(ours.state_dict(), strict=True)
    torch.testing.assert_close(
        predict(stock, data[layout]), predict(ours, data['NCTHW'])
    )


@pytest.mark.parametrize(
    ('name', 'layout', 'options'),
    [
        ('TDN', 'NCTHW', {}),
        ('TDN', 'NCTHW', dict(backbone_name='tsm', num_segments=T)),
        ('TDN', 'NCHW', dict(backbone_name='tsm', num_segments=T)),
        ('TAda2D', 'NCTHW', {}),
        ('TAda2D', 'NCHW', dict(backbone_name='tsm', num_segments=T)),
    ],
)
def test_features(name, layout, options, data_root):
    head = dict(type='FeatureHead', average_clips='score', **options)
    model = build(name, data_root, layout, head)
    data = batch(name)[layout]
    with torch.no_grad():
        features = model.test_step(data)
        inputs = model.data_preprocessor(data)['inputs'].flatten(0, 1)
        maps = model.backbone(inputs)
    if maps.dim() == 5:
        maps = maps.transpose(1, 2).flatten(0, 1)
    expected = maps.mean((2, 3)).unflatten(0, (2, T)).mean(1)
    assert features.shape == (2, C) and features.std() > 0.01
    torch.testing.assert_close(features, expected)


def test_ten_views_of_three_crops(name, data_root):
    data = load_views(name, 'NCTHW', views=10, crops=3)
    groups = 30 * T if name == 'TDN' else 30
    assert data['inputs'][0].shape[0] == groups
    model = build(name, data_root)
    inputs = model.data_preprocessor(data)['inputs'][0]
    with torch.no_grad():
        scores = torch.cat(
            [model(view[None], stage='head') for view in inputs.split(groups // 30)]
        )
    assert len(scores) == 30 and scores.std(0).max() > 1e-4
    torch.testing.assert_close(predict(model, data)[0], scores.softmax(1).mean(0))


@pytest.mark.parametrize(
    ('name', 'test_cfg', 'calls'),
    [
        ('TDN', dict(max_testing_views=2 * T), 3),
        ('TDN', dict(fcn_test=True), 1),
        ('TDN', dict(fcn_test=True, max_testing_views=4 * T), 2),
        ('TAda2D', dict(max_testing_views=4), 2),
        ('TAda2D', dict(fcn_test=True), 1),
    ],
)
def test_parts_and_fcn_test_change_nothing(name, test_cfg, calls, data_root):
    data = load_views(name, 'NCTHW', views=2, crops=3)
    expected = predict(build(name, data_root), data)
    model = build(name, data_root, **test_cfg)
    seen = []
    model.backbone.register_forward_hook(lambda *_: seen.append(1))
    torch.testing.assert_close(predict(model, data), expected)
    assert len(seen) == calls


def test_parts_of_images_are_whole_windows(data_root):
    data = load_views('TDN', 'NCHW', views=2, crops=3)
    expected = predict(build('TDN', data_root, 'NCHW'), data)
    model = build('TDN', data_root, 'NCHW', max_testing_views=2 * K * T)
    torch.testing.assert_close(predict(model, data), expected)
    model = build('TDN', data_root, 'NCHW', max_testing_views=3 * T)
    with pytest.raises(ValueError, match=r'expected windows of frames_per_segment=5'):
        predict(model, data)


def test_grad_cam(name, data_root):
    model = build(name, data_root, 'NCHW')
    data = batch(name, videos=1)['NCHW']
    cam = GradCAM(model, 'backbone/layer4/1/relu')
    heat, scores = cam(data, alpha=1.0)
    frames = T * (K if name == 'TDN' else 1)
    assert heat.shape == (1, frames, SIZE, SIZE, 3)
    assert scores.shape == (1, NUM_CLASSES)
    maps = model.backbone(model.data_preprocessor(data)['inputs'][0])
    row = model.cls_head.fc_cls.weight[scores.argmax()]
    expected = torch.einsum('tchw,c->thw', maps, row).relu()[None, None].detach()
    expected = F.interpolate(expected, (frames, SIZE, SIZE), mode='trilinear')[0]
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    colours = torch.from_numpy(cam.colormap(expected.numpy())[..., :3])
    torch.testing.assert_close(heat, colours, atol=0.02, rtol=0)
