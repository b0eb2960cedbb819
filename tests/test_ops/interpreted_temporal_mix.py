"""The GPU operators of temporal_mix, run on the CPU by Triton's interpreter.

It has to be chosen before Triton is imported, and then replaces the compiler for the
whole process. So pytest does not find this file by itself: a test beside it runs

    TRITON_INTERPRET=1 python -m pytest tests/test_ops/interpreted_temporal_mix.py
"""

import sys
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses import FakeTensorMode
from torch.autograd import gradcheck, gradgradcheck

from mmtemporal.ops import kernel_check, temporal_mix
from mmtemporal.ops import temporal_mix_kernels as kernels
from mmtemporal.ops.mix_reference import mix_reference

ops = torch.ops.mmtemporal

LAYOUTS = ('contiguous', 'channels_last', 'slice', 'channels_last_slice', 'strided')
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def make_frames(n, t, c, h, w, layout='contiguous', dtype=torch.float64, device='cpu'):
    """Return frames (n, t, c, h, w) in the named memory layout."""
    channels = c + 5 if 'slice' in layout else c
    width = 2 * w if layout == 'strided' else w
    x = torch.randn(n * t, channels, h, width, device=device).to(dtype)
    if 'channels_last' in layout:
        x = x.contiguous(memory_format=torch.channels_last)
    first = channels - c
    x = x[:, first:, :, ::2] if layout == 'strided' else x[:, first:]
    return x.unflatten(0, (n, t))


def make_weights(n, k, t, c, dtype=torch.float64, device='cpu'):
    return torch.randn(n, k, t, c, device=device).to(dtype)


def correlate_reference(left, right, num_weights):
    t = left.size(1)
    padded = F.pad(right, (0, 0) * 3 + (num_weights // 2, num_weights // 2))
    products = [(left * padded[:, k : k + t]).sum((-2, -1)) for k in range(num_weights)]
    return torch.stack(products, 1)


def assert_close(actual, expected, dtype):
    """Compare with a result computed in float64 from the same inputs.

    Sums are taken in float32 at least. So a narrow result differs by its last rounding
    too: half a unit in the last place on a GPU, but up to a whole one in the
    interpreter, which cuts bfloat16 off.
    """
    assert actual.dtype == dtype
    if dtype == torch.float64:
        rtol, atol = 1e-12, 1e-12
    else:
        rtol, atol = max(torch.finfo(dtype).eps, 1e-5), 5e-5
    torch.testing.assert_close(actual.double(), expected, rtol=rtol, atol=atol)


SIZES = [  # n, t, c, h, w, k
    (2, 8, 8, 4, 4, 3),
    (1, 5, 3, 3, 5, 5),
    (3, 2, 2, 1, 1, 3),
    (2, 1, 3, 2, 3, 3),
    (1, 3, 1, 7, 1, 1),
    (1, 8, 4, 3, 3, 15),
    # More than a tile in either direction and either layout.
    (1, 2, 5, 13, 11, 3),
    (1, 2, 141, 3, 13, 3),
]


def compare(size, layout, dtype, device='cpu'):
    n, t, c, h, w, k = size
    frames = make_frames(n, t, c, h, w, layout, dtype, device)
    other = make_frames(n, t, c, h, w, 'contiguous', dtype, device)
    weights = make_weights(n, k, t, c, dtype, device)

    mixed = ops.mix_frames(frames, weights)
    assert_close(mixed, mix_reference(frames.double(), weights.double()), dtype)
    for left, right in ((frames.flip(1), frames), (other, frames)):
        expected = correlate_reference(left.double(), right.double(), k)
        assert_close(ops.correlate_frames(left, right, k), expected, dtype)

    mixed = mixed.flatten(0, 1)
    if 'channels_last' in layout:
        assert mixed.is_contiguous(memory_format=torch.channels_last)
    else:
        assert mixed.is_contiguous()


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('size', SIZES)
def test_sizes_and_layouts(size, layout):
    compare(size, layout, torch.float64)


@pytest.mark.parametrize('layout', ['contiguous', 'channels_last'])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize('size', [SIZES[0], (1, 2, 5, 17, 19, 5), (1, 2, 70, 7, 7, 3)])
def test_dtypes(size, dtype, layout):
    compare(size, layout, dtype)


@pytest.mark.parametrize('layout', ['contiguous', 'channels_last'])
@pytest.mark.parametrize('shape', [(1, 3, 1, 1), (1, 3, 8, 4), (2, 3, 1, 4)])
def test_expanded_weights(shape, layout):
    frames = make_frames(2, 8, 4, 3, 3, layout)
    weights = make_weights(*shape).expand(2, 3, 8, 4)
    mixed = ops.mix_frames(frames, weights)
    assert_close(mixed, mix_reference(frames, weights), torch.float64)
    by_channel = weights.transpose(2, 3).contiguous().transpose(2, 3)
    torch.testing.assert_close(ops.mix_frames(frames, by_channel), mixed)


def test_expanded_gradients():
    """What the sum of a map passes back."""
    frames = make_frames(1, 4, 3, 2, 2)
    ones = torch.ones((), dtype=frames.dtype).expand(frames.shape)
    expected = correlate_reference(ones, frames, 3)
    assert_close(ops.correlate_frames(ones, frames, 3), expected, torch.float64)


def test_frames_outside_a_band_do_not_matter():
    frames = make_frames(1, 8, 2, 2, 2)
    frames[:, 5] = float('nan')
    mixed = ops.mix_frames(frames, make_weights(1, 3, 8, 2))
    spoilt = mixed.isnan().flatten(2).any(2).squeeze(0)
    assert spoilt.tolist() == [False] * 4 + [True] * 3 + [False]


@pytest.mark.parametrize('far', ['clip', 'frame', 'channel'])
def test_distances_beyond_32_bits(far):
    strides = dict(clip=64, frame=16, channel=4)
    strides[far] = 2**31 + 8
    try:
        memory = torch.empty(2**31 + 256, dtype=torch.float16)  # hardly any is touched
    except RuntimeError:
        pytest.skip('4 GiB of address space are not to be had')
    frames = memory.as_strided((2, 2, 2, 2, 2), (*strides.values(), 2, 1))
    frames.copy_(torch.randn(frames.shape))
    weights = make_weights(2, 3, 2, 2, torch.float16)
    expected = mix_reference(frames.double(), weights.double())
    assert_close(ops.mix_frames(frames, weights), expected, torch.float16)
    expected = correlate_reference(frames.double(), frames.double(), 3)
    assert_close(ops.correlate_frames(frames, frames, 3), expected, torch.float16)


@pytest.mark.parametrize('shape', [(0, 4, 2, 3, 3), (2, 4, 2, 0, 3)])
def test_nothing_to_mix(shape):
    frames = torch.zeros(shape)
    weights = make_weights(shape[0], 3, 4, 2, torch.float32)
    assert ops.mix_frames(frames, weights).shape == shape
    products = ops.correlate_frames(frames, frames, 3)
    torch.testing.assert_close(products, torch.zeros_like(weights))


@pytest.mark.parametrize('layout', ['contiguous', 'channels_last'])
def test_derivatives(layout):
    frames = make_frames(1, 3, 2, 1, 2, layout).requires_grad_()
    other = make_frames(1, 3, 2, 1, 2).requires_grad_()
    weights = make_weights(1, 3, 3, 2).requires_grad_()
    for op, inputs in (
        (ops.mix_frames, (frames, weights)),
        (ops.correlate_frames, (frames, other, 3)),
    ):
        # In random directions: along every axis they take minutes.
        assert gradcheck(op, inputs, fast_mode=True)
        assert gradgradcheck(op, inputs, fast_mode=True)


@pytest.mark.parametrize('layout', ['contiguous', 'channels_last', 'strided'])
def test_registration(layout):
    frames = make_frames(2, 4, 3, 2, 2, layout)
    other = make_frames(2, 4, 3, 2, 2)
    weights = make_weights(1, 3, 1, 3).expand(2, 3, 4, 3)
    for grad in (False, True):
        args = frames.detach().requires_grad_(grad), weights.requires_grad_(grad)
        torch.library.opcheck(ops.mix_frames.default, args)
        args = frames.detach().requires_grad_(grad), other.requires_grad_(grad), 3
        torch.library.opcheck(ops.correlate_frames.default, args)


@pytest.mark.parametrize('backend', ['eager', 'aot_eager'])
def test_in_compiled_functions(backend):
    def loss(frames, weights):
        return ops.mix_frames(frames.relu(), weights).square().sum()

    frames = make_frames(2, 4, 3, 2, 2).requires_grad_()
    weights = make_weights(2, 3, 4, 3).requires_grad_()
    compiled = torch.compile(loss, backend=backend, fullgraph=True)
    expected = torch.autograd.grad(loss(frames, weights), (frames, weights))
    actual = torch.autograd.grad(compiled(frames, weights), (frames, weights))
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize('num_channels', [4, 2])
def test_temporal_mix_uses_them(num_channels, monkeypatch):
    """The public function, with the interpreter in the place of a GPU."""
    module = sys.modules['mmtemporal.ops.temporal_mix']
    x = make_frames(2, 4, 4, 3, 2, 'channels_last').flatten(0, 1).requires_grad_()
    weights = make_weights(2, 3, 4, 2).requires_grad_()

    def mix(x, weights):
        return temporal_mix(x, 4, weights, num_channels)

    expected = mix(x, weights)
    upstream = torch.randn_like(expected)
    gradients = torch.autograd.grad(expected, (x, weights), upstream)
    asked = []
    monkeypatch.setattr(module, 'has_kernels', lambda x: asked.append(x) or True)
    actual = mix(x, weights)
    torch.testing.assert_close(actual, expected)
    actual = torch.autograd.grad(actual, (x, weights), upstream)
    torch.testing.assert_close(actual, gradients)
    assert len(asked) == 3
    assert gradgradcheck(mix, (x, weights), fast_mode=True)


# ------------------------------------------- what a first use looks at


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Nothing has been looked at, and the interpreter takes the place of a GPU."""
    monkeypatch.setattr(kernel_check, 'is_available', lambda x: True)
    monkeypatch.setattr(kernel_check, '_results', {})


class Broken:
    """A kernel that runs, after which something is done to its output."""

    def __init__(self, kernel, spoil):
        self.kernel, self.spoil = kernel, spoil

    def __getitem__(self, grid):
        def launch(out, *args, **kwargs):
            self.kernel[grid](out, *args, **kwargs)
            self.spoil(out)

        return launch


def fail(out):
    raise RuntimeError('no such instruction')


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('channels_last', [False, True])
def test_right_kernels_pass(dtype, channels_last):
    assert kernel_check.find_fault(torch.device('cpu'), dtype, channels_last) is None


def mix_and_differentiate(layout, dtype):
    x = make_frames(2, 4, 4, 3, 2, layout, dtype).flatten(0, 1).requires_grad_()
    weights = make_weights(2, 3, 4, 4, dtype).requires_grad_()
    mixed = temporal_mix(x, 4, weights)
    with torch.no_grad():
        expected = mix_reference(x.unflatten(0, (2, 4)), weights).flatten(0, 1)
    torch.testing.assert_close(mixed.detach(), expected)
    torch.autograd.grad(mixed.sum(), (x, weights))


@pytest.mark.parametrize(
    ('kernel', 'spoil', 'reason'),
    [
        ('mix_kernel', lambda out: out.mul_(1.001), 'the output differs by'),
        (
            'mix_kernel',
            lambda out: out.fill_(float('nan')),
            'the output differs by nan',
        ),
        (
            'correlate_kernel',
            lambda out: out.add_(1),
            'gradient of the weights differs',
        ),
        ('mix_kernel', fail, 'RuntimeError: no such instruction'),
    ],
)
def test_a_wrong_kernel_is_named_once_and_not_used(
    kernel, spoil, reason, as_on_a_gpu, monkeypatch
):
    monkeypatch.setattr(kernels, kernel, Broken(getattr(kernels, kernel), spoil))
    with pytest.warns(RuntimeWarning) as caught:
        mix_and_differentiate('contiguous', torch.float64)
    (warning,) = caught
    text = str(warning.message)
    assert reason in text and 'torch.float64, contiguous, on cpu' in text
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        mix_and_differentiate('contiguous', torch.float64)
    with pytest.warns(RuntimeWarning, match=r'torch\.float32, channels last, on cpu'):
        mix_and_differentiate('channels_last', torch.float32)


def test_modes_of_the_caller_do_not_matter(as_on_a_gpu):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with torch.inference_mode(), torch.autocast('cpu', torch.bfloat16):
            temporal_mix(torch.randn(4, 2, 3, 3), 4, torch.randn(1, 3, 1, 2))
        with FakeTensorMode():
            temporal_mix(torch.randn(4, 2, 3, 3).bfloat16(), 4, torch.randn(1, 3, 1, 2))
    results = kernel_check._results
    assert len(results) == 2 and set(results.values()) == {None}
