"""Mixed precision on CPU, and in the stock heads."""

import inspect
import warnings

import pytest
import torch
from mmengine.optim import AmpOptimWrapper

from mmtemporal.compat import (
    amp,
)

cpu_only = pytest.mark.skipif(
    torch.cuda.is_available(), reason='the fix acts only without an accelerator'
)


@cpu_only
@pytest.mark.parametrize('loss_scale', ['dynamic', 512.0, dict(init_scale=8.0)])
def test_amp_trains_on_cpu(loss_scale):
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(16, 4), torch.ones(16, 1)
    losses = []
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        # mmengine calls re.split in a way that Python 3.13 warns of.
        warnings.filterwarnings('ignore', "'maxsplit' is passed", DeprecationWarning)
        # The stock scaler says that it is turned off, or deprecated.
        warnings.filterwarnings('ignore', r'.*(amp\.GradScaler|is not available)')
        wrapper = AmpOptimWrapper(
            optimizer=optimizer, loss_scale=loss_scale, clip_grad=dict(max_norm=10)
        )
        for _ in range(20):
            with wrapper.optim_context(model):
                out = model(x)
            assert out.dtype == torch.bfloat16
            loss = (out.float() - y).square().mean()
            losses.append(loss.item())
            wrapper.update_params(loss)
        wrapper.load_state_dict(wrapper.state_dict())
    assert losses[-1] < 0.5 * losses[0]


def test_cast_half_scores(monkeypatch):
    from mmaction.models.heads import BaseHead, OmniHead, RGBPoseHead, TSNHead
    from mmaction.structures import ActionDataSample

    for head in (BaseHead, OmniHead, RGBPoseHead):
        stock = inspect.unwrap(head.loss_by_feat)
        monkeypatch.setattr(head, 'loss_by_feat', stock)
    head = TSNHead(num_classes=6, in_channels=2)
    samples = [ActionDataSample().set_gt_label(label) for label in (1, 4)]
    scores = torch.eye(6)[[1, 5]]

    with pytest.raises(TypeError, match='BFloat16'):
        head.loss_by_feat(scores.bfloat16(), samples)
    assert amp.cast_half_scores()
    assert not amp.cast_half_scores()

    expected = head.loss_by_feat(scores, samples)
    assert expected['top1_acc'] == 0.5
    for dtype in (torch.bfloat16, torch.float16):
        losses = head.loss_by_feat(scores.to(dtype), samples)
        assert losses['loss_cls'].dtype == torch.float32
        assert losses == expected
    double = head.loss_by_feat(scores.double(), samples)
    assert double['loss_cls'].dtype == torch.float64

    head = RGBPoseHead(
        num_classes=6, in_channels=[2, 2], loss_components=['rgb', 'pose']
    )
    by_stream = dict(rgb=scores.bfloat16(), pose=scores.bfloat16())
    losses = head.loss_by_feat(by_stream, samples)
    assert losses['rgb_loss_cls'] == expected['loss_cls']
