"""temporal_mix as what it is: a linear map by a T x T matrix, for all sizes."""

import pytest
import torch
from drawn_frames import LAYOUTS, SEEDS, make_frames, sizes
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mmtemporal.ops import temporal_mix

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
SIZES = sizes(n=3, t=6, c=6, h=7, w=7)  # maps of 32 pixels take other kernels


@st.composite
def weight_shapes(draw, size):
    """Draw the shape of weights that fit frames of a size, and the channels mixed."""
    n, t, c = size[:3]
    num_channels = draw(st.integers(1, c))
    return (
        draw(st.sampled_from([1, n])),
        2 * draw(st.integers(0, t)) + 1,  # as many as there are frames, and more
        draw(st.sampled_from([1, t])),
        draw(st.sampled_from([g for g in range(1, c + 1) if not num_channels % g])),
    ), num_channels


PROBLEMS = SIZES.flatmap(
    lambda size: st.tuples(
        st.just(size), weight_shapes(size), st.sampled_from(LAYOUTS), SEEDS
    )
)


def draw_problem(problem, dtype=torch.float64):
    """Return frames, their number in a clip, weights, and the channels mixed."""
    size, (shape, num_channels), layout, seed = problem
    torch.manual_seed(seed)
    x = make_frames(size, layout, dtype)
    return x, size[1], torch.randn(shape, dtype=dtype), num_channels


def dense(weights, n, t, num_channels, c):
    """Write weights as the matrix (n, c, t, t) that they stand for."""
    k = weights.size(1)
    full = weights.repeat_interleave(num_channels // weights.size(3), 3)
    full = full.expand(n, k, t, num_channels)
    matrix = torch.eye(t, dtype=weights.dtype).expand(n, c, t, t).clone()
    matrix[:, :num_channels] = 0
    for out in range(t):
        for i in range(k):
            source = out + i - k // 2
            if 0 <= source < t:
                matrix[:, :num_channels, out, source] = full[:, i, out]
    return matrix


def multiply(matrix, x):
    """Mix frames (n * t, c, h, w) by (n, c, t, t)."""
    clips = x.reshape(len(matrix), -1, *x.shape[1:])
    return torch.einsum('ncts,nschw->ntchw', matrix, clips).reshape(x.shape)


def dense_weights(matrix):
    """Write a matrix (n, c, t, t) as weights that reach from every frame to every."""
    n, c, t, _ = matrix.shape
    weights = matrix.new_zeros(n, 2 * t - 1, t, c)
    for out in range(t):
        for source in range(t):
            weights[:, source - out + t - 1, out] = matrix[:, :, out, source]
    return weights


@given(PROBLEMS)
@settings(max_examples=150)
def test_equals_the_matrix_with_gradients(problem):
    x, t, weights, num_channels = draw_problem(problem)
    x.requires_grad_(), weights.requires_grad_()
    y = temporal_mix(x, t, weights, num_channels)
    expected = multiply(dense(weights, len(x) // t, t, num_channels, x.size(1)), x)
    torch.testing.assert_close(y, expected)
    upstream = torch.randn_like(y)
    for ours, theirs in zip(
        torch.autograd.grad(y, (x, weights), upstream),
        torch.autograd.grad(expected, (x, weights), upstream),
    ):
        torch.testing.assert_close(ours, theirs)


@given(PROBLEMS, st.sampled_from(DTYPES))
@settings(max_examples=100)
def test_keeps_dtype_and_layout(problem, dtype):
    x, t, weights, num_channels = draw_problem(problem, dtype)
    y = temporal_mix(x, t, weights, num_channels)
    assert (y.dtype, y.device, y.shape) == (x.dtype, x.device, x.shape)
    for layout in (torch.contiguous_format, torch.channels_last):
        if x.is_contiguous(memory_format=layout):
            assert y.is_contiguous(memory_format=layout)
    exact = temporal_mix(x.double(), t, weights.double(), num_channels)
    # Every product and sum is rounded once.
    k, eps = weights.size(1), torch.finfo(dtype).eps
    size = temporal_mix(x.double().abs(), t, weights.double().abs(), num_channels)
    assert ((y.double() - exact).abs() <= 2 * k * eps * size + 1e-6).all()


@given(PROBLEMS, st.tuples(*[st.floats(-2, 2)] * 2))
@settings(max_examples=60)
def test_is_linear_in_frames_and_weights(problem, factors):
    x, t, weights, num_channels = draw_problem(problem)
    a, b = factors
    other, other_weights = torch.randn_like(x), torch.randn_like(weights)

    def mix(x, weights):
        return temporal_mix(x, t, weights, num_channels)

    torch.testing.assert_close(
        mix(a * x + b * other, weights), a * mix(x, weights) + b * mix(other, weights)
    )
    mixed = mix(x, a * weights + b * other_weights)[:, :num_channels]
    expected = a * mix(x, weights) + b * mix(x, other_weights)
    torch.testing.assert_close(mixed, expected[:, :num_channels])


@given(PROBLEMS)
@settings(max_examples=60)
def test_the_adjoint_is_that_of_the_matrix(problem):
    x, t, weights, num_channels = draw_problem(problem)
    matrix = dense(weights, len(x) // t, t, num_channels, x.size(1))
    y = torch.randn_like(x)
    transposed = temporal_mix(y, t, dense_weights(matrix.transpose(2, 3)))
    mixed = temporal_mix(x, t, weights, num_channels)
    torch.testing.assert_close((mixed * y).sum(), (x * transposed).sum())


@given(PROBLEMS, st.sampled_from(DTYPES))
@settings(max_examples=60)
def test_identity_weights_change_nothing(problem, dtype):
    x, t, weights, num_channels = draw_problem(problem, dtype)
    weights.zero_()
    weights[:, weights.size(1) // 2] = 1
    assert torch.equal(temporal_mix(x, t, weights, num_channels), x)


@given(PROBLEMS, st.integers(-7, 7))
@settings(max_examples=60)
def test_one_weight_moves_the_frames(problem, step):
    x, t, _, _ = draw_problem(problem)
    weights = x.new_zeros(1, 15, 1, 1)
    weights[:, 7 + step] = 1
    moved = temporal_mix(x, t, weights).unflatten(0, (-1, t))
    clips = x.unflatten(0, (-1, t))
    for frame in range(t):
        source = frame + step
        expected = clips[:, source] if 0 <= source < t else torch.zeros(())
        assert torch.equal(
            moved[:, frame], expected.expand_as(moved[:, frame]).double()
        )


@given(PROBLEMS)
@settings(max_examples=40)
def test_clips_do_not_see_each_other(problem):
    x, t, weights, num_channels = draw_problem(problem)
    together = temporal_mix(x, t, weights, num_channels)
    for i, clip in enumerate(x.split(t)):
        alone = temporal_mix(
            clip, t, weights[i : i + 1] if len(weights) > 1 else weights, num_channels
        )
        assert torch.equal(together[i * t : (i + 1) * t], alone)


@given(SIZES, st.integers(2, 9))
@settings(max_examples=40)
def test_frames_that_are_no_clips_are_refused(size, num_segments):
    x = make_frames(size, LAYOUTS[0])
    assume(len(x) % num_segments)
    with pytest.raises(ValueError, match=f'num_segments = {num_segments}, got shape'):
        temporal_mix(x, num_segments, torch.ones(1, 3, 1, 1))


@given(PROBLEMS, st.integers(0, 3), st.integers(1, 5))
@settings(max_examples=60)
def test_weights_that_do_not_fit_are_refused(problem, axis, more):
    x, t, weights, num_channels = draw_problem(problem)
    shape = list(weights.shape)
    shape[axis] += more
    fits = (
        shape[0] in (1, len(x) // t)
        and shape[1] % 2
        and shape[2] in (1, t)
        and num_channels % shape[3] == 0
    )
    assume(not fits)
    with pytest.raises(ValueError, match='weights must be .* got'):
        temporal_mix(x, t, torch.ones(shape), num_channels)
