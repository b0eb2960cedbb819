"""Whole networks equal the papers' formulations, which the benchmarks compare."""

import re
import sys

import pytest
import torch
from mmaction.registry import MODELS
from parity import named_tensor
from reference.networks import naive
from small_tada_formers import ARCH, FORMS

from mmtemporal.models.layers import TAM, LongTermTDM, TAdaConv2d, TemporalInterlace

CLIPS = 2
SIZE = 33  # TDN needs no less, and all maps but one are of odd sizes


def resnets(depth):
    # With fewer frames an offset net may have no active hidden unit.
    yield 'TIN', dict(depth=depth, num_segments=8, tin_cfg=dict(offset_scale=8))
    yield 'TANet', dict(depth=depth, num_segments=4)
    yield 'TDN', dict(depth=depth, num_segments=4)
    yield 'TAda2D', dict(depth=depth, num_segments=4, aggregation='mix')


def convnexts():
    arch = dict(depths=(1, 1, 2, 1), channels=(16, 32, 64, 128))
    yield 'TAdaConvNeXt', dict(num_segments=8, arch=arch)
    yield 'TAdaConvNeXtV2', dict(num_segments=8, arch=dict(arch, head_dim=8))


def transformers():
    arch = dict(ARCH, patch_size=3)
    for form in FORMS:
        routing = dict(head_dim=4)
        yield (
            'TAdaFormer',
            dict(num_segments=8, arch=arch, form=form, img_size=SIZE, routing=routing),
        )


def parametrise(*cases):
    return pytest.mark.parametrize(
        ('name', 'options'),
        cases,
        ids=lambda value: value.get('depth', 'tiny') if type(value) is dict else None,
    )


SMALL = [*resnets(18), *convnexts(), *transformers()]
LARGE = [pytest.param(*case, marks=pytest.mark.slow) for case in resnets(50)]
# Our reformulations, by the functions that they are made of.
OURS = (
    *('temporal_mix', 'frame_means', 'frame_differences', '_norm_in_turn'),
    'compute_calibration',
)
# A shift in front of a batch norm, and a block whose output nothing reads: the outputs
# do not react to them.
SHIFTS = (
    r'gradient of (.*(routing\.a|ltdm\.(pooled|full)_bn)\.bias|layers\.1\.tada2\..*)'
)


def build(name, **options):
    """Build a network far from its start, where temporal layers do nothing."""
    model = MODELS.build(dict(type=f'mmtemporal.{name}', **options))
    weights = {k: named_tensor(k, v.shape, 0) for k, v in model.state_dict().items()}
    for key, value in weights.items():
        # Of several frames; and not to hide the block of a ConvNeXt.
        if key.endswith(('offset_net.fc2.bias', 'gamma')):
            value *= 10
    model.load_state_dict(weights)
    return model.double()


def make_input(model):
    frames = CLIPS * model.num_segments * getattr(model, 'frames_per_segment', 1)
    return torch.randn(frames, 3, SIZE, SIZE, dtype=torch.float64)


def run(model, x):
    """Return the outputs in both modes, gradients and statistics, by name."""
    x = x.clone().requires_grad_()
    out = {'output in eval mode': model.eval()(x).detach()}
    y = model.train()(x)
    (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
    out['output'], out['gradient of the input'] = y.detach(), x.grad
    out.update({f'gradient of {k}': p.grad for k, p in model.named_parameters()})
    out.update(model.named_buffers())
    return out


@parametrise(*SMALL, *LARGE)
def test_equals_the_papers_formulation(name, options):
    model = build(name, **options)
    x = make_input(model)
    direct = run(naive(model), x)
    ours = run(model, x)
    assert ours.keys() == direct.keys()
    for key, value in ours.items():
        error, size = (value - direct[key]).abs().max(), value.abs().max()
        if re.fullmatch(SHIFTS, key) and size < 1e-9:
            assert error < 1e-9
            continue
        # Rounding, enlarged by the layers and by batch norms over the few pixels of
        # the last maps. Measured 1e-13, in TIN-50 1e-10; a change of the input
        # in its last digit does as much.
        assert size > 1e-3, f'{key} tests nothing'
        assert error < 1e-9 * size, f'{key} differs by {error / size:.1e}'


@parametrise(*SMALL)
def test_nothing_of_ours_is_left(name, options, monkeypatch):
    model = build(name, **options).eval()
    direct = naive(model)
    x = make_input(model)

    def forbidden(*args, **kwargs):
        raise AssertionError('a reformulation is used')

    for path, module in [*sys.modules.items()]:
        if path.startswith('mmtemporal.models.'):
            for function in OURS:
                if hasattr(module, function):
                    monkeypatch.setattr(module, function, forbidden)
    with torch.no_grad():
        direct(x)
        with pytest.raises(AssertionError, match='a reformulation is used'):
            model(x)


@pytest.mark.parametrize(
    'layer',
    [
        TAM(8, 4, adaptive_kernel_size=1),
        TAM(8, 8, adaptive_kernel_size=5),
        TemporalInterlace(8, 8, shift_div=2, num_groups=4, reverse=False),
        TemporalInterlace(8, 4, shift_div=1, num_groups=1, offset_scale=40),
        LongTermTDM(8, 4, reduction=2, num_scales=1),
        LongTermTDM(8, 1, reduction=2, num_scales=2),
        TAdaConv2d(8, 12, 3, padding='same', num_segments=4),
        TAdaConv2d(8, 12, 3, 2, groups=2, num_segments=4),
        TAdaConv2d(8, 12, 3, groups=4, calibrate='cout', num_segments=4),
        TAdaConv2d(8, 8, 1, calibrate_bias=True, num_segments=4),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_options_of_layers(layer):
    layer.double()
    for key, value in layer.state_dict().items():
        value.copy_(named_tensor(key, value.shape, 0))
    x = torch.randn(2 * layer.num_segments, 8, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(naive(layer)(x), layer(x), rtol=0, atol=1e-12)


def test_the_copy_shares_nothing():
    model = build('TANet', depth=18, num_segments=4)
    direct = naive(model)
    ours, theirs = model.state_dict(), direct.state_dict()
    assert list(ours) == list(theirs)
    for key, value in ours.items():
        assert torch.equal(value, theirs[key])
        assert value.data_ptr() != theirs[key].data_ptr()


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('TANet', dict(tam_cfg=dict(variant='reversed')), 'ReversedTAM'),
        ('TAda2D', dict(separate_norm=False), 'separate_norm=False'),
        ('TANet', dict(temporal_stages=()), 'TANet has no temporal layers'),
    ],
)
def test_other_networks_are_refused(name, options, message):
    model = build(name, depth=18, num_segments=4, **options)
    with pytest.raises(ValueError, match=message):
        naive(model)
