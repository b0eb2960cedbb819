"""temporal_mix against the sum over frames written out, and its derivatives."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from mmtemporal.ops import temporal_mix
from mmtemporal.ops.mix_reference import mix_reference

LAYOUTS = ('contiguous', 'channels_last', 'channel_slice')


def make_frames(n, t, c, h, w, layout='contiguous', dtype=torch.float64):
    """Return frames (n * t, c, h, w) in the named memory layout."""
    if layout == 'channel_slice':
        return torch.randn(n * t, 2 * c, h, w, dtype=dtype)[:, :c]
    x = torch.randn(n * t, c, h, w, dtype=dtype)
    if layout == 'channels_last':
        x = x.contiguous(memory_format=torch.channels_last)
    return x


def mix_with_loops(x, t, matrix):
    """Mix as the definition says, one frame pair at a time.

    ``matrix`` is (n, c, t, t).
    """
    frames = x.reshape(-1, t, *x.shape[1:])
    mixed = torch.zeros_like(frames)
    for out in range(t):
        for source in range(t):
            weight = matrix[:, :, out, source, None, None]
            mixed[:, out] += weight * frames[:, source]
    return mixed.reshape(x.shape)


def weights_to_matrix(weights):
    """Write weights (n, k, t, c) into the matrix (n, c, t, t) that they stand for."""
    n, k, t, c = weights.shape
    matrix = torch.zeros(n, c, t, t, dtype=weights.dtype)
    for out in range(t):
        for i in range(k):
            source = out + i - k // 2
            if 0 <= source < t:
                matrix[:, :, out, source] = weights[:, i, out]
    return matrix


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize(
    ('n', 't', 'c', 'h', 'w', 'k'),
    [
        (2, 8, 4, 3, 5, 3),
        (2, 8, 4, 7, 5, 3),
        (1, 4, 3, 2, 2, 5),
        (3, 5, 2, 1, 1, 3),
        (2, 1, 3, 2, 3, 3),
    ],
)
def test_weights_equal_the_definition(n, t, c, h, w, k, layout):
    x = make_frames(n, t, c, h, w, layout)
    weights = torch.randn(n, k, t, c, dtype=x.dtype)
    mixed = temporal_mix(x, t, weights)
    torch.testing.assert_close(mixed, mix_with_loops(x, t, weights_to_matrix(weights)))


@pytest.mark.parametrize('shape', [(1, 3, 1, 1), (1, 3, 8, 4), (2, 3, 1, 4)])
def test_weights_of_size_one_stand_for_all(shape):
    x = make_frames(2, 8, 4, 3, 3)
    weights = torch.randn(shape, dtype=x.dtype)
    full = weights.expand(2, 3, 8, 4)
    expected = mix_with_loops(x, 8, weights_to_matrix(full))
    torch.testing.assert_close(temporal_mix(x, 8, weights), expected)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize(('n', 'groups', 'k'), [(1, 4, 5), (2, 8, 9), (1, 2, 3)])
def test_weights_of_groups_equal_the_definition(n, groups, k, layout):
    t, c = 5, 8
    x = make_frames(2, t, c, 3, 2, layout)
    weights = torch.randn(n, k, t, groups, dtype=x.dtype)
    full = weights.expand(2, -1, -1, -1).repeat_interleave(c // groups, 3)
    expected = mix_with_loops(x, t, weights_to_matrix(full))
    torch.testing.assert_close(temporal_mix(x, t, weights), expected)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize(('h', 'w'), [(2, 3), (4, 8)])
def test_channels_behind_the_mixed_ones_stay(h, w, layout):
    x = make_frames(2, 4, 6, h, w, layout).requires_grad_()
    weights = torch.randn(2, 3, 4, 2, dtype=x.dtype, requires_grad=True)

    def mix(x, weights):
        return temporal_mix(x, 4, weights, num_channels=4)

    mixed = mix(x, weights)
    torch.testing.assert_close(mixed[:, :4], temporal_mix(x[:, :4], 4, weights))
    assert torch.equal(mixed[:, 4:], x[:, 4:])
    assert mixed.is_contiguous(
        memory_format=torch.channels_last
        if layout == 'channels_last'
        else torch.contiguous_format
    )
    plain = mix_reference(x.unflatten(0, (2, 4)), weights.repeat_interleave(2, 3))
    torch.testing.assert_close(mixed, plain.flatten(0, 1))
    assert gradcheck(mix, (x, weights))
    assert gradgradcheck(mix, (x, weights), fast_mode=True)


# Of every clip and channel; of all clips and frames; of groups of channels.
FORMS = {
    'channels': lambda n, t, c: (n, 3, t, c),
    'shared': lambda n, t, c: (1, 3, 1, c),
    'groups': lambda n, t, c: (n, 5, t, c // 2),
}


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('form', FORMS)
# Small and large maps take different kernels.
@pytest.mark.parametrize(('n', 't', 'c', 'h', 'w'), [(2, 4, 4, 2, 3), (1, 3, 2, 4, 8)])
def test_first_and_second_derivatives(n, t, c, h, w, form, layout):
    x = make_frames(n, t, c, h, w, layout).requires_grad_()
    weights = torch.randn(FORMS[form](n, t, c), dtype=x.dtype, requires_grad=True)

    def mix(x, weights):
        return temporal_mix(x, t, weights)

    assert gradcheck(mix, (x, weights))
    assert gradgradcheck(mix, (x, weights))


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize('form', FORMS)
def test_keeps_dtype_and_memory_format(form, dtype, layout):
    x = make_frames(2, 4, 8, 6, 6, layout, dtype)
    weights = torch.rand(FORMS[form](2, 4, 8))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = temporal_mix(x, 4, weights)
    assert mixed.dtype == dtype
    expected = temporal_mix(x.double(), 4, weights.double())
    tolerance = 4 * torch.finfo(dtype).eps * expected.abs().max()
    torch.testing.assert_close(mixed.double(), expected, rtol=0, atol=tolerance.item())
    if layout == 'channels_last':
        assert mixed.is_contiguous(memory_format=torch.channels_last)
    else:
        assert mixed.is_contiguous()


@pytest.mark.parametrize(('num_channels', 'side'), [(8, 2), (8, 14), (6, 2), (6, 15)])
def test_sums_of_half_precision_are_rounded_once(num_channels, side):
    x = torch.rand(8, 8, side, side, dtype=torch.bfloat16)
    x = x.contiguous(memory_format=torch.channels_last)
    weights = torch.rand(1, 5, 8, num_channels, dtype=torch.bfloat16)
    expected = temporal_mix(x.double(), 8, weights.double(), num_channels)
    mixed = temporal_mix(x, 8, weights, num_channels).double()
    # Half a unit in the last place, and what float32 adds to it.
    rounding = 0.51 * torch.finfo(x.dtype).eps
    torch.testing.assert_close(mixed, expected, rtol=rounding, atol=0)


@pytest.mark.parametrize('form', FORMS)
def test_keeps_nothing_of_the_size_of_its_input_but_it(form):
    x = make_frames(2, 4, 8, 9, 9).requires_grad_()
    weights = torch.rand(FORMS[form](2, 4, 8), dtype=x.dtype, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor
    ):
        temporal_mix(x, 4, weights)
    storages = [tensor.untyped_storage() for tensor in kept]
    large = {s.data_ptr() for s in storages if s.nbytes() >= x.nbytes}
    assert large == {x.untyped_storage().data_ptr()}


def test_the_traced_form_equals_the_fast_one():
    x = make_frames(2, 8, 4, 3, 3)
    weights = torch.randn(2, 5, 8, 4, dtype=x.dtype)
    plain = mix_reference(x.unflatten(0, (2, 8)), weights).flatten(0, 1)
    torch.testing.assert_close(temporal_mix(x, 8, weights), plain)


@pytest.mark.parametrize('form', ['channels', 'groups'])
def test_export_with_any_number_of_clips(form):
    class Mix(torch.nn.Module):
        def forward(self, x, weights):
            return temporal_mix(x, 4, weights)

    clips = torch.export.Dim('clips', min=1, max=64)
    exported = torch.export.export(
        Mix(),
        (torch.randn(12, 8, 6, 6), torch.rand(FORMS[form](3, 4, 8))),
        dynamic_shapes=({0: 4 * clips}, {0: clips}),
    ).module()
    x, weights = torch.randn(20, 8, 6, 6), torch.rand(FORMS[form](5, 4, 8))
    torch.testing.assert_close(exported(x, weights), Mix()(x, weights))


def test_bad_input_is_named():
    x = torch.randn(8, 4, 3, 3)
    with pytest.raises(ValueError, match='num_segments = 3, got shape'):
        temporal_mix(x, 3, torch.rand(1, 3, 1, 1))
    with pytest.raises(
        ValueError, match='odd k, n=2, t=4 and g a divisor of 4 channels'
    ):
        temporal_mix(x, 4, torch.rand(2, 2, 4, 4))
    with pytest.raises(ValueError, match='g a divisor of 4 channels'):
        temporal_mix(x, 4, torch.rand(2, 3, 4, 3))


def test_one_pixel_keeps_its_memory_format():
    """Whatever the weights have, which are then as large as the frames."""
    weights = torch.randn(1, 2, 2, 3).permute(0, 3, 1, 2)
    assert temporal_mix(torch.randn(2, 2, 1, 1), 2, weights).is_contiguous()
