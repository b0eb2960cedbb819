"""What every temporal layer promises, for all sizes and strides of its input."""

import re

import pytest
import torch
from drawn_frames import LAYOUTS, SEEDS, make_frames, sizes
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmtemporal.models.layers import (
    TAM_VARIANTS,
    LongTermTDM,
    TAdaConv2d,
    TAdaConv3d,
    TemporalInterlace,
    TemporalShift,
    temporal_pool,
)
from mmtemporal.models.layers.tada_block import TAdaBlock

CHANNELS = 16
ATTENTION = dict(type='attention', head_dim=4)


def _adaptive(conv, t, out_channels=CHANNELS, **options):
    if conv is TAdaConv2d:
        options['num_segments'] = t
    return conv(CHANNELS, out_channels, 3, padding=1, **options)


class Pool(nn.Module):
    """The function as a module: it promises the same."""

    def __init__(self, t, mode):
        super().__init__()
        self.num_segments, self.mode = t, mode

    def forward(self, x):
        return temporal_pool(x, self.num_segments, self.mode)


# Makes a layer for clips of t frames.
LAYERS = {
    **{
        f'TAM {variant}': lambda t, layer=layer: layer(
            CHANNELS, t, adaptive_kernel_size=1 if t < 3 else 3
        )
        for variant, layer in TAM_VARIANTS.items()
    },
    'TemporalInterlace': lambda t: TemporalInterlace(CHANNELS, t, shift_div=2),
    'LongTermTDM': lambda t: LongTermTDM(CHANNELS, t, reduction=4),
    'TemporalShift': lambda t: TemporalShift(CHANNELS, t),
    'average pool': lambda t: Pool(t, 'avg'),
    'max pool': lambda t: Pool(t, 'max'),
    'TAdaConv2d cin': lambda t: _adaptive(TAdaConv2d, t, 8),
    'TAdaConv2d cout': lambda t: _adaptive(
        TAdaConv2d, t, calibrate='cout', calibrate_bias=True, stride=2
    ),
    'TAdaConv2d attention': lambda t: _adaptive(TAdaConv2d, t, routing=ATTENTION),
    'TAdaConv3d cin': lambda t: _adaptive(TAdaConv3d, t),
    'TAdaConv3d cout': lambda t: _adaptive(
        TAdaConv3d, t, 8, calibrate='cout', routing=ATTENTION
    ),
    **{
        f'TAdaBlock of {size}': lambda t, size=size: TAdaBlock(
            CHANNELS, size, dict(head_dim=4)
        )
        for size in (1, 3)
    },
}
# Those that mix by temporal_mix.
KEEP_LAYOUT = [name for name in LAYERS if not re.search('TAda|conv|max', name)]

EXAMPLES = st.tuples(sizes(n=3, t=6, c=1, h=6, w=6), st.sampled_from(LAYOUTS), SEEDS)


@pytest.fixture(params=LAYERS)
def name(request):
    return request.param


def make(name, example, dtype=torch.float64):
    """Make a layer with random weights in eval mode, and frames for it."""
    (n, t, _, h, w), layout, seed = example
    torch.manual_seed(seed)
    layer = LAYERS[name](t)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    for module in layer.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    # The maps of a long-term module are halved.
    size = (n, t, CHANNELS, h + 1, w + 1)
    x = make_frames(size, layout, dtype)
    return layer.to(dtype).eval(), to_input(layer, x, t)


def to_input(layer, x, t):
    """Give frames the form that a layer takes.

    Some take (n, c, t, h, w), or patches (n, t, h, w, c).
    """
    if isinstance(layer, TAdaConv3d):
        return x.unflatten(0, (-1, t)).transpose(1, 2)
    if isinstance(layer, TAdaBlock):
        return x.unflatten(0, (-1, t)).permute(0, 1, 3, 4, 2)
    return x


def clips_of(layer, x, t):
    return x.split(1 if x.dim() == 5 else t)


@given(example=EXAMPLES, dtype=st.sampled_from([torch.float32, torch.bfloat16]))
@settings(max_examples=15)
def test_shape_dtype_and_values(name, example, dtype):
    layer, x = make(name, example, dtype)
    y = layer(x)
    assert (y.dtype, y.device) == (x.dtype, x.device)
    assert y.isfinite().all()
    if isinstance(layer, (nn.Conv2d, nn.Conv3d)):
        plain = nn.Conv2d if x.dim() == 4 else nn.Conv3d
        assert y.shape == plain.forward(layer, x).shape
    else:
        assert y.shape == x.shape


@given(example=EXAMPLES)
@settings(max_examples=20)
def test_strides_do_not_matter(name, example):
    layer, x = make(name, example)
    before = x.clone()
    y = layer(x)
    assert torch.equal(x, before)  # nothing is written into it
    torch.testing.assert_close(y, layer(x.contiguous()))
    assert torch.equal(y, layer(x))  # and it computes the same again


@given(example=EXAMPLES)
@settings(max_examples=15)
def test_clips_do_not_see_each_other(name, example):
    layer, x = make(name, example)
    t = example[0][1]
    alone = torch.cat([layer(clip) for clip in clips_of(layer, x, t)])
    torch.testing.assert_close(layer(x), alone)


@pytest.mark.parametrize('name', KEEP_LAYOUT)
@given(example=EXAMPLES)
@settings(max_examples=15)
def test_the_memory_format_stays(name, example):
    layer, x = make(name, example)
    for layout in (torch.contiguous_format, torch.channels_last):
        y = layer(x.contiguous(memory_format=layout))
        assert y.is_contiguous(memory_format=layout)


@given(example=EXAMPLES)
@settings(max_examples=12)
def test_every_parameter_and_the_input_get_a_gradient(name, example):
    layer, x = make(name, ((2, *example[0][1:]), *example[1:]))
    x = x.clone().requires_grad_()
    layer.train()(x).square().sum().backward()
    assert x.grad.isfinite().all() and x.grad.any()
    for key, parameter in layer.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key


@given(example=EXAMPLES, more=st.integers(1, 3))
@settings(max_examples=12)
def test_frames_that_are_no_clips_are_refused(name, example, more):
    layer, x = make(name, example)
    t = example[0][1]
    if x.dim() == 5 or more % t == 0:
        return
    with pytest.raises(ValueError, match=f'num_segments ?= ?{t}'):
        layer(torch.cat((x, x[:1].expand(more, -1, -1, -1))))
