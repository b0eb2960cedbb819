"""Frames of several videos never meet: a wrong number of them is an error."""

from functools import cache

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope
from network_names import OF_FRAMES, RESNETS
from small_tada_formers import ARCH

FORMATS = dict(Recognizer2D='NCHW', Recognizer3D='NCTHW')


def build(backbone, head, kind='Recognizer2D', **changes):
    cfg = dict(
        type=kind,
        data_preprocessor=dict(
            type='ActionDataPreprocessor', format_shape=FORMATS[kind]
        ),
        backbone=dict(depth=18, num_segments=8, **backbone),
        cls_head=dict(num_classes=4, in_channels=512, dropout_ratio=0, **head),
        **changes,
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(cfg)


def run(model, frames, mode, videos=2, **shape):
    x = torch.randn(videos, frames, *shape.get('shape', (3, 36, 36)))
    samples = [ActionDataSample().set_gt_label(i % 4) for i in range(videos)]
    with torch.no_grad():
        return model(x, samples, mode=mode)


OURS = dict(type='mmtemporal.TAMHead', num_segments=8)
HEADS = {
    'ours': OURS,
    'TSM': dict(type='TSMHead', num_segments=8, average_clips='prob'),
    'TSN': dict(type='TSNHead', average_clips='prob'),
}
TANET = dict(type='mmtemporal.TANet')


@cache
def build_once(head):
    return build(TANET, HEADS[head]).eval()


@pytest.mark.parametrize('mode', ['loss', 'predict', 'tensor'])
@pytest.mark.parametrize('videos, frames', [(2, 4), (4, 2), (8, 3), (2, 12)])
@pytest.mark.parametrize('head', HEADS)
def test_frames_that_are_clips_only_together(head, videos, frames, mode):
    with pytest.raises(ValueError, match=f'got {frames} frames of each video, expect'):
        run(build_once(head), frames, mode, videos)


@pytest.mark.parametrize('head', HEADS)
def test_several_clips_are_for_testing(head):
    model = build(TANET, HEADS[head])
    with pytest.raises(ValueError, match='got 16 frames .*set num_clips=8 in the samp'):
        run(model, 16, 'loss')
    model.eval()
    predicted = run(model, 16, 'predict')
    assert [sample.pred_score.shape for sample in predicted] == [(4,), (4,)]


@pytest.mark.parametrize('videos', [1, 2])
@pytest.mark.parametrize('head', [OURS, HEADS['TSM']])
def test_a_head_with_other_clips(head, videos):
    model = build(TANET, {**head, 'num_segments': 4}).eval()
    for mode in ('loss', 'predict'):
        with pytest.raises(ValueError, match='cls_head.num_segments=4, but clips have'):
            run(model, 8, mode, videos)


CONVNEXT = dict(depths=(1, 1, 1, 1), channels=(8, 8, 16, 32), head_dim=4)
OF_CLIPS = {
    'TAdaConvNeXtV2': dict(arch=CONVNEXT),
    'TAdaFormer': dict(arch=ARCH, routing=dict(head_dim=4), img_size=36),
}


@pytest.mark.parametrize('name', OF_CLIPS)
def test_a_head_behind_a_mean_over_frames(name):
    head = dict(type='mmtemporal.TAdaHead', num_classes=4, in_channels=32)
    cfg = dict(
        type='Recognizer2D',
        backbone=dict(type=f'mmtemporal.{name}', num_segments=8, **OF_CLIPS[name]),
        cls_head=dict(head, num_segments=8),
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg).eval()
    message = r'clips have 1 frame.*set cls_head.num_segments=1$'
    with pytest.raises(ValueError, match=message):
        run(model, 8, 'predict')
    model.cls_head.num_segments = None
    message = 'set cls_head.num_segments to the frames of a clip behind the backbone'
    with pytest.raises(ValueError, match=message):
        run(model, 8, 'predict')
    with pytest.raises(ValueError, match="got clips .*format_shape='NCHW'"):
        run(model, 1, 'predict', shape=(3, 8, 36, 36))
    model.cls_head.num_segments = model.cls_head.num_rows = 1
    assert len(run(model, 8, 'predict')) == 2


@pytest.mark.parametrize('name', OF_FRAMES)
@pytest.mark.parametrize('batch', [2, 8])
def test_clips_for_a_network_of_frames(name, batch):
    model = build(dict(type=f'mmtemporal.{name}'), OURS, 'Recognizer3D')
    message = "expected frames.*model.type='Recognizer2D'.*FormatShape.*num_clips=8"
    with pytest.raises(ValueError, match=message):
        run(model, 1, 'loss', batch, shape=(3, 8, 36, 36))


@pytest.mark.parametrize('name', RESNETS)
def test_other_channels_name_the_key(name):
    shape = (10, 5, 36, 36) if name == 'TDN' else (10, 36, 36)
    model = build(dict(type=f'mmtemporal.{name}'), OURS)
    with pytest.raises(ValueError, match='in_channels=3'):
        run(model, 8, 'loss', shape=shape)


@pytest.mark.parametrize('views', ['8', 12, -8])
def test_parts_of_views_name_the_key(views):
    model = build(TANET, OURS, test_cfg=dict(max_testing_views=views)).eval()
    with pytest.raises(
        AssertionError, match='max_testing_views=.* multiple of num_seg'
    ):
        run(model, 16, 'predict')


def test_other_backbones_are_left_alone():
    backbone = dict(type='ResNet', depth=18)
    head = dict(type='TSNHead', num_classes=4, in_channels=512)
    cfg = dict(type='Recognizer2D', backbone=backbone, cls_head=head)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg)
    assert not model._forward_pre_hooks
    assert len(run(model.eval(), 5, 'predict')) == 2
    stock, model.backbone = model.backbone, build(TANET, OURS).backbone
    with pytest.raises(ValueError, match='got 5 frames of each video'):
        run(model.eval(), 5, 'predict')
    model.backbone = stock
    assert len(run(model, 5, 'predict')) == 2


NETWORKS = {
    'TANet': dict(type='mmtemporal.TANet', depth=18),
    'TIN': dict(type='mmtemporal.TIN', depth=18),
    'TDN': dict(type='mmtemporal.TDN', depth=18),
    'TAda2D': dict(type='mmtemporal.TAda2D', depth=18, aggregation='mix'),
    'checkpointed': dict(type='mmtemporal.TANet', depth=18, with_cp=True),
    **{
        f'adapter of {layer}': dict(
            type='mmtemporal.TemporalAdapter',
            backbone=dict(type='ResNet', depth=18),
            temporal=dict(type=layer),
        )
        for layer in ('TAM', 'TemporalInterlace', 'LongTermTDM', 'TAdaConv')
    },
}


@pytest.mark.parametrize('name', NETWORKS)
def test_symbolic_tracing(name):
    """The stock ResNet can be traced by torch.fx, so these have to be."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        net = MODELS.build({**NETWORKS[name], 'num_segments': 4}).eval()
    traced = torch.fx.symbolic_trace(net)
    size = (3, 5, 36, 36) if name == 'TDN' else (3, 36, 36)
    for clips in (1, 2):
        x = torch.randn(clips * 4, *size)
        torch.testing.assert_close(traced(x), net(x))


CONV_CFG = dict(
    type='ResNet', conv_cfg=dict(type='mmtemporal.TAdaConv2d', num_segments=8)
)


@pytest.mark.parametrize('frames', [4, 3, 16])
def test_convolutions_of_this_package_in_a_stock_backbone(frames):
    cfg = dict(CONV_CFG, depth=18)
    head = dict(type='TSNHead', num_classes=4, in_channels=512)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(dict(type='Recognizer2D', backbone=cfg, cls_head=head))
    with pytest.raises(ValueError, match=f'got {frames} .* expected num_segments=8'):
        run(model, frames, 'loss', videos=8)
    assert run(model, 8, 'loss')['loss_cls'].isfinite()


def test_a_wrapped_backbone_with_clips_of_another_length():
    backbone = dict(type='ResNetTSM', depth=18, num_segments=8, pretrained2d=False)
    adapter = dict(type='mmtemporal.TemporalAdapter', temporal=dict(type='TAM'))
    with DefaultScope.overwrite_default_scope('mmaction'):
        with pytest.raises(ValueError, match='backbone.backbone.num_segments=8'):
            MODELS.build(dict(adapter, backbone=backbone, num_segments=16))


@pytest.mark.parametrize(
    'backbone, shape, message',
    [
        (dict(type='ResNet', depth=18), (2, 3, 8, 32, 32), "type='Recognizer2D'"),
        (
            dict(type='ResNet3dSlowOnly', depth=18, pretrained=None),
            (16, 3, 32, 32),
            "type='Recognizer3D'",
        ),
    ],
)
def test_a_wrapped_backbone_in_the_other_recognizer(backbone, shape, message):
    adapter = dict(type='mmtemporal.TemporalAdapter', temporal=dict(type='TAM'))
    with DefaultScope.overwrite_default_scope('mmaction'):
        net = MODELS.build(dict(adapter, backbone=backbone, num_segments=8))
    with pytest.raises(ValueError, match=message):
        net(torch.randn(shape))
