"""The GPU operators of temporal_mix: interpreted, compiled, and run on a GPU.

The interpreter tells that the kernels compute the right thing, but takes some that
do not compile. So they are also compiled for GPUs that need not be there, from the
arguments that would start them.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch._subclasses import FakeTensorMode

from mmtemporal.ops import kernel_check, temporal_mix, temporal_mix_triton
from mmtemporal.ops.mix_reference import mix_reference

# Before, its compiler was called in another way.
triton = pytest.importorskip('triton', minversion='3.4')

from interpreted_temporal_mix import (  # noqa: E402
    DTYPES,
    LAYOUTS,
    SIZES,
    assert_close,
    compare,
    make_frames,
    make_weights,
)

from mmtemporal.ops import temporal_mix_kernels as kernels  # noqa: E402

ops = torch.ops.mmtemporal


@pytest.mark.parametrize(
    'tests',
    [
        'test_expanded_weights',
        pytest.param('not test_expanded_weights', marks=pytest.mark.slow),
    ],
)
def test_in_the_interpreter(tests):
    environ = {name: v for name, v in os.environ.items() if 'PYTEST' not in name}
    environ.update(TRITON_INTERPRET='1', OMP_NUM_THREADS='1')
    file = Path(__file__).with_name('interpreted_temporal_mix.py')
    options = ('-q', '-p', 'no:cacheprovider', '-k', tests)
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', *options, str(file)],
        cwd=file.parents[2],
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --------------------------------------------------- compiled, not run

TYPES = {
    torch.float64: '*fp64',
    torch.float32: '*fp32',
    torch.float16: '*fp16',
    torch.bfloat16: '*bf16',
}


class Recorder:
    """Takes the place of a kernel and keeps what would start it."""

    def __getitem__(self, grid):
        return self

    def __call__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs


@pytest.fixture
def compile_for(monkeypatch, tmp_path):
    """Compile the kernel that a function starts, for a GPU that need not be there.

    Arguments get the types, and what is known of their values, that Triton would
    take from a launch.
    """
    if os.environ.get('TRITON_INTERPRET') == '1':
        pytest.skip('TRITON_INTERPRET=1: the interpreter replaces the compiler')
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv('TRITON_CACHE_DIR', str(tmp_path))

    def compile_for(capability, name, function, *args):
        kernel, launch = getattr(kernels, name), Recorder()
        with monkeypatch.context() as patch:
            patch.setattr(kernels, name, launch)
            function(*args)
        values = dict(zip(kernel.arg_names, launch.args), **launch.kwargs)
        signature, constants, known = {}, {}, {}
        for i, param in enumerate(kernel.params):
            value = values.pop(param.name)
            if isinstance(value, torch.Tensor):
                kind = TYPES[value.dtype]
                value = value.data_ptr()
            else:
                kind = 'i32' if value < 2**31 else 'i64'
            if param.is_constexpr or value == 1:
                kind, constants[param.name] = 'constexpr', value
            elif value % 16 == 0:
                known[(i,)] = [['tt.divisibility', 16]]
            signature[param.name] = kind
        source = ASTSource(kernel, signature, constants, known)
        target = GPUTarget('cuda', capability, 32)
        return triton.compile(source, target=target, options=values)

    return compile_for


@pytest.mark.parametrize(
    ('capability', 'channels', 'side', 'k'), [(80, 64, 14, 3), (90, 3, 7, 5)]
)
@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('layout', ['contiguous', 'channels_last', 'slice'])
def test_kernels_compile(layout, dtype, capability, channels, side, k, compile_for):
    frames = make_frames(1, 8, channels, side, side, layout, dtype)
    weights = make_weights(1, k, 8, channels, dtype)
    mix = compile_for(capability, 'mix_kernel', ops.mix_frames, frames, weights)
    products = compile_for(
        capability, 'correlate_kernel', ops.correlate_frames, frames, frames, k
    )
    assert mix.asm['cubin'] and products.asm['cubin']
    # No thread needs another's values.
    assert mix.metadata.shared == 0


def test_kernels_compile_for_sizes_beyond_32_bits(compile_for):
    """Of tensors without memory, which the operators would not give to kernels."""
    frames = torch.empty(2, 8, 64, 2**14, 2**14, dtype=torch.float16, device='meta')
    weights = torch.empty(2, 3, 8, 64, dtype=torch.float16, device='meta')
    mix = temporal_mix_triton._mix_frames
    assert compile_for(90, 'mix_kernel', mix, frames, weights).asm['cubin']
    correlate = temporal_mix_triton._correlate_frames
    args = correlate, frames, frames, 3
    assert compile_for(90, 'correlate_kernel', *args).asm['cubin']


@pytest.mark.parametrize('layout', ['contiguous', 'channels_last'])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_loads_are_wide(layout, dtype, compile_for):
    frames = make_frames(1, 8, 64, 28, 28, layout, dtype)
    weights = make_weights(1, 3, 8, 64, dtype)
    mix = compile_for(90, 'mix_kernel', ops.mix_frames, frames, weights)
    loads = re.findall(r'ld\.global\S+', mix.asm['ptx'])
    wide = [load for load in loads if load.endswith('.v4.b32')]
    # In channels-last there are as many weights as values.
    assert (len(wide), len(loads)) == ((3, 6) if layout == 'contiguous' else (6, 6))


# ------------------------------------------------------------ on a GPU


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('layout', LAYOUTS)
def test_on_a_gpu(layout, dtype):
    for size in (*SIZES, (4, 8, 64, 28, 28, 3), (2, 16, 32, 7, 7, 5)):
        compare(size, layout, dtype, 'cuda')
        compare_derivatives(size, layout, dtype)


def compare_derivatives(size, layout, dtype):
    """Compare the public function and its gradients with the plain form."""
    n, t, c, h, w, k = size
    x = make_frames(n, t, c, h, w, layout, dtype, 'cuda').flatten(0, 1)
    weights = make_weights(n, k, t, c, dtype, 'cuda')
    upstream = torch.randn_like(x)
    assert kernel_check.has_kernels(x.unflatten(0, (n, t)))

    def mix(x, weights):
        return temporal_mix(x, t, weights)

    def mix_plainly(x, weights):
        return mix_reference(x.unflatten(0, (n, t)), weights).flatten(0, 1)

    def differentiate(function, x, weights, upstream):
        inputs = x.detach().requires_grad_(), weights.detach().requires_grad_()
        mixed = function(*inputs)
        return mixed, *torch.autograd.grad(mixed, inputs, upstream)

    expected = differentiate(
        mix_plainly, x.double(), weights.double(), upstream.double()
    )
    for actual, exact in zip(differentiate(mix, x, weights, upstream), expected):
        assert_close(actual, exact, dtype)


@pytest.fixture
def as_if_available(monkeypatch):
    monkeypatch.setattr(kernel_check, 'is_available', lambda x: True)
    monkeypatch.setattr(kernel_check, '_results', {})


@pytest.mark.skipif(torch.cuda.is_available(), reason='for machines without a GPU')
def test_a_device_that_cannot_run_them_uses_the_plain_form(as_if_available):
    x, weights = torch.randn(8, 3, 5, 5), torch.randn(1, 3, 1, 3)
    with pytest.warns(RuntimeWarning, match='kernels of temporal mixing are not used'):
        mixed = temporal_mix(x, 4, weights)
    expected = mix_reference(x.unflatten(0, (2, 4)), weights).flatten(0, 1)
    torch.testing.assert_close(mixed, expected)


def test_nothing_is_looked_at_while_a_graph_is_captured(as_if_available, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_current_stream_capturing', lambda: True)
    with FakeTensorMode():
        frames = torch.empty(1, 4, 3, 2, 2, device='cuda')
    assert not kernel_check.has_kernels(frames)
    assert not kernel_check._results


def test_wrong_shapes_are_named():
    frames = make_frames(2, 4, 3, 2, 2)
    with pytest.raises(ValueError, match='odd k for frames of shape'):
        ops.mix_frames(frames, make_weights(2, 2, 4, 3))
    with pytest.raises(ValueError, match='odd k for frames of shape'):
        ops.mix_frames(frames, make_weights(2, 3, 4, 1))
    with pytest.raises(TypeError, match='one dtype'):
        ops.mix_frames(frames, make_weights(2, 3, 4, 3, torch.float32))
    with pytest.raises(ValueError, match='two equal shapes'):
        ops.correlate_frames(frames, frames[:1], 3)
    with pytest.raises(TypeError, match='one dtype'):
        ops.correlate_frames(frames, frames.float(), 3)


def test_importing_needs_no_triton():
    code = (
        "import sys; sys.modules['triton'] = None; import torch, mmtemporal.ops; "
        'print(mmtemporal.ops.temporal_mix(torch.ones(2, 1, 1, 1), 2, '
        'torch.ones(1, 3, 1, 1)).sum().item())'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout == '4.0\n', done.stderr
