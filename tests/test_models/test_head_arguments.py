"""The heads take what the stock heads take, and what configs of other forms hold."""

import pytest
import torch
from mmaction.models import TSMHead
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine import Config
from mmengine.registry import DefaultScope

from mmtemporal.models import TAdaHead, TAMHead

CLASSES, C = 4, 16


@pytest.mark.parametrize(
    'options', [dict(temporal_pool=True), dict(spatial_type='none'), dict()]
)
def test_as_the_stock_head(options):
    x = torch.randn(8, C, 1, 1)
    stock = TSMHead(CLASSES, C, num_segments=8, **options).eval()
    ours = TAMHead(CLASSES, C, num_segments=8, **options).eval()
    ours.load_state_dict(stock.state_dict())
    torch.testing.assert_close(ours(x, 8), stock(x, 8))


def test_maps_that_nothing_pools_are_refused():
    head = TAMHead(CLASSES, C, num_segments=8, spatial_type='none')
    with pytest.raises(ValueError, match="spatial_type='none', which pools nothing"):
        head(torch.randn(8, C, 2, 2), 8)
    with pytest.raises(ValueError, match="spatial_type='none', expected 'avg'"):
        TAdaHead(CLASSES, C, spatial_type='none')
    with pytest.raises(ValueError, match='cls_head.consensus='):
        TAMHead(CLASSES, C, consensus=dict(type='NoConsensus'))


@pytest.mark.parametrize('name', ['TAMHead', 'TDNHead', 'TINHead'])
def test_clips_for_a_head_of_frames(name):
    head = dict(type=f'mmtemporal.{name}', num_classes=CLASSES, in_channels=C)
    head = MODELS.build(dict(head, num_segments=4))
    with pytest.raises(ValueError, match="got those of clips.*'mmtemporal.TAdaHead'"):
        head(torch.randn(4, C, 1, 1, 1))
    assert head(torch.randn(1, C, 4, 2, 2), fcn_test=True).shape == (1, CLASSES)


def test_frames_for_a_head_of_clips():
    message = "num_segments=None.*'NCTHW' in FormatShape and format_shape='NCTHW'"
    with pytest.raises(ValueError, match=message):
        TAdaHead(CLASSES, C)(torch.randn(8, C, 1, 1))


@pytest.mark.parametrize('suffix', ['.json', '.yml'])
@pytest.mark.parametrize('name', ['TAMHead', 'TDNHead', 'TINHead', 'TAdaHead'])
def test_lists_of_files_without_tuples(name, suffix, tmp_path):
    head = dict(type=f'mmtemporal.{name}', num_classes=CLASSES, in_channels=C)
    Config(dict(head=dict(head, topk=[1, 3]))).dump(tmp_path / f'config{suffix}')
    built = MODELS.build(Config.fromfile(tmp_path / f'config{suffix}').head)
    assert built.topk == (1, 3)


@pytest.mark.parametrize('classes', [1, 8])
@pytest.mark.parametrize('videos', [1, 4])
def test_several_labels_and_a_single_class(classes, videos):
    cfg = dict(
        type='Recognizer2D',
        data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCHW'),
        backbone=dict(type='mmtemporal.TANet', depth=18, num_segments=4),
        cls_head=dict(
            type='mmtemporal.TAMHead',
            num_classes=classes,
            in_channels=512,
            num_segments=4,
            dropout_ratio=0,
            multi_class=True,
            average_clips='score',
            loss_cls=dict(type='BCELossWithLogits'),
        ),
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg).eval()
    labels = torch.randint(2, (videos, classes)).float()
    samples = [ActionDataSample().set_gt_label(row) for row in labels]
    x = torch.randn(videos, 4, 3, 32, 32)
    loss = model(x, samples, mode='loss')['loss_cls']
    scores = model(x, stage='head')
    expected = torch.nn.functional.binary_cross_entropy_with_logits(scores, labels)
    torch.testing.assert_close(loss, expected)
    predicted = model(x, samples, mode='predict')
    assert all(sample.pred_score.shape == (classes,) for sample in predicted)


@pytest.mark.parametrize('name', ['TAMHead', 'TDNHead', 'TINHead', 'TAdaHead'])
def test_views_are_averaged_unless_it_is_said_otherwise(name):
    head = dict(type=f'mmtemporal.{name}', num_classes=CLASSES, in_channels=C)
    assert MODELS.build(head).average_clips == 'prob'
    assert MODELS.build(dict(head, average_clips=None)).average_clips is None
