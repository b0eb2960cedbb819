"""What mmengine offers for training, with every network of this package."""

import shutil
from copy import deepcopy

import pytest
import torch
from adapters import RESNET, adapter, frames
from mmaction.structures import ActionDataSample
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from selection import slow_but
from small_backbones import BACKBONES, build, clips, gradients, scores
from torch.nn.modules.batchnorm import _BatchNorm

T = 4


# One of each kind; the others are as one of these.
QUICK = ('TDN', 'TAdaConvNeXtV2', 'TemporalAdapter')


@pytest.fixture(params=slow_but(QUICK, BACKBONES))
def name(request):
    return request.param


def small(name, dtype=torch.float64):
    return build(name, num_segments=T).to(dtype).train()


def update(model, wrapper, x, labels):
    """Give the wrapper the loss of a batch, as ``train_step`` does."""
    samples = [ActionDataSample().set_gt_label(label) for label in labels]
    with wrapper.optim_context(model):
        loss, _ = model.parse_losses(model(x, samples, mode='loss'))
    wrapper.update_params(loss)
    return loss.item()


def wrap(model, kind=OptimWrapper, lr=0.1, **changes):
    return kind(optimizer=torch.optim.SGD(model.parameters(), lr=lr), **changes)


def test_accumulated_steps_are_one_with_the_larger_batch(name):
    whole, parts = small(name), small(name)
    for model in (whole, parts):
        for module in model.modules():
            # In training they would normalise each part by itself.
            if isinstance(module, _BatchNorm):
                module.eval()
    before = deepcopy(parts.state_dict())
    x = clips(name, n=4, dtype=torch.float64, t=T)
    update(whole, wrap(whole), x, range(4))
    wrapper = wrap(parts, accumulative_counts=2)
    wrapper.initialize_count_status(parts, 0, 2)
    update(parts, wrapper, x[:2], range(2))
    torch.testing.assert_close(parts.state_dict(), before, rtol=0, atol=0)
    update(parts, wrapper, x[2:], range(2, 4))
    torch.testing.assert_close(
        parts.state_dict(), whole.state_dict(), rtol=1e-7, atol=1e-10
    )
    assert any(not torch.equal(before[key], x) for key, x in whole.state_dict().items())


def test_averaged_weights(name):
    model = small(name, torch.float32)
    average = ExponentialMovingAverage(model, momentum=0.25)
    start = {key: p.detach().clone() for key, p in model.named_parameters()}
    average.update_parameters(model)  # the first call copies
    x = clips(name, t=T)
    update(model, wrap(model), x, range(2))
    average.update_parameters(model)
    expected = {
        key: start[key].lerp(p.detach(), 0.25) for key, p in model.named_parameters()
    }
    found = dict(average.module.named_parameters())
    torch.testing.assert_close(found, expected)
    # The copy works with its own weights, in every layer.
    other = small(name, torch.float32)
    other.load_state_dict(average.module.state_dict())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)
        y = scores(average.module.eval(), x)
        torch.testing.assert_close(y, scores(other.eval(), x), rtol=0, atol=0)


@pytest.mark.skipif(torch.cuda.is_available(), reason='bfloat16 is for the CPU')
def test_mixed_precision_steps_are_close(name):
    x, labels = clips(name, t=T), range(2)
    results = []
    for kind in (OptimWrapper, AmpOptimWrapper):
        model = small(name, torch.float32)
        before = [p.detach().clone() for p in model.parameters()]
        loss = update(model, wrap(model, kind), x, labels)
        steps = [p.detach() - b for p, b in zip(model.parameters(), before)]
        assert all(step.isfinite().all() for step in steps)
        results.append((loss, torch.cat([step.flatten() for step in steps])))
    (loss, step), (mixed_loss, mixed_step) = results
    assert mixed_loss == pytest.approx(loss, rel=0.05)
    assert mixed_loss != loss
    assert torch.cosine_similarity(step, mixed_step, 0) > 0.8


# That every backbone compiles for inference is in test_backbone_inference.py.
@pytest.mark.parametrize(
    'name', slow_but(['TAdaConvNeXtV2'], ['TDN', 'TAdaConvNeXtV2'])
)
def test_compiled_gradients(name):
    model, compiled = small(name, torch.float32), small(name, torch.float32)
    compiled.backbone.compile(backend='aot_eager')
    x = clips(name, t=T)
    torch.testing.assert_close(
        gradients(compiled, x), gradients(model, x), rtol=1e-3, atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which('g++') is None, reason='the compiler needs g++')
def test_compiled_gradients_of_the_default_compiler():
    wrapped = dict(RESNET, num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,))
    x = frames(dtype=torch.float32)
    results = []
    for compiled in (False, True):
        model = adapter(wrapped).train()
        if compiled:
            model.compile()
        y = model(x)
        y.square().mean().backward()
        results.append((y.detach(), [p.grad for p in model.parameters()]))
    torch.testing.assert_close(*results, rtol=1e-3, atol=1e-5)
