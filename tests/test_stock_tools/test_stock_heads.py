"""The stock heads on the backbones of this package."""

import pytest
import torch
from stock_config import FRAME_METHODS, NUM_CLASSES, T, build_small, make_data

STOCK_HEADS = {
    'TSMHead': dict(num_segments=T, dropout_ratio=0.0),
    # It averages over all frames that it is given, and has no num_segments.
    'TSNHead': dict(dropout_ratio=0.0),
}


@pytest.fixture(params=FRAME_METHODS)
def name(request):
    return request.param


def predict(model, data):
    with torch.no_grad():
        return torch.stack([sample.pred_score for sample in model.test_step(data)])


def stock_head(head):
    sizes = dict(num_classes=NUM_CLASSES, in_channels=512, average_clips='prob')
    return dict(type=head, **sizes, **STOCK_HEADS[head])


@pytest.mark.parametrize('head', STOCK_HEADS)
def test_stock_head_predicts_as_ours(name, data_root, head):
    ours = build_small(name, data_root)
    stock = build_small(name, data_root, **stock_head(head))
    assert type(stock.cls_head).__name__ == head
    stock.load_state_dict(ours.state_dict(), strict=True)
    data = make_data()
    expected = predict(ours, data)
    assert expected.shape == (2, NUM_CLASSES)
    assert not torch.allclose(expected[0], expected[1], atol=1e-3)
    torch.testing.assert_close(predict(stock, data), expected)


def train(model):
    """Return the losses of a batch, and the gradient of every parameter."""
    data = model.double().data_preprocessor(make_data(), training=True)
    data['inputs'] = data['inputs'].double()
    losses = model.train()(**data, mode='loss')
    losses['loss_cls'].backward()
    return losses, {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize('head', STOCK_HEADS)
def test_stock_head_trains_as_ours(name, data_root, head):
    ours = build_small(name, data_root)
    stock = build_small(name, data_root, **stock_head(head))
    stock.load_state_dict(ours.state_dict(), strict=True)
    (losses, gradients), expected = train(stock), train(ours)
    assert losses.keys() == {'loss_cls', 'top1_acc', 'top5_acc'}
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    torch.testing.assert_close((losses, gradients), expected)


@pytest.mark.parametrize('clips', [1, 3])
@pytest.mark.parametrize('average_clips', ['score', None])
def test_feature_head(name, data_root, clips, average_clips):
    head = dict(type='FeatureHead', backbone_name='tsm', num_segments=T)
    model = build_small(name, data_root, average_clips=average_clips, **head)
    data = make_data(clips=clips)
    with torch.no_grad():
        features = model.test_step(data)
        frames = model.data_preprocessor(data)['inputs'].flatten(0, 1)
        maps = model.backbone(frames)
    assert maps.shape == (2 * clips * T, 512, 2, 2)
    # (videos, clips, T, c)
    expected = maps.mean((2, 3)).unflatten(0, (2, clips, T)).mean(2)
    if average_clips == 'score':
        expected = expected.mean(1)
    assert features.std() > 0.01
    torch.testing.assert_close(features, expected)
