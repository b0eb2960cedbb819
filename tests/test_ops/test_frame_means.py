"""frame_means against Tensor.mean, and what its gradient takes."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from mmtemporal.ops import frame_means

FORMATS = (torch.contiguous_format, torch.channels_last)


def make_frames(memory_format, dtype=torch.float64):
    x = torch.randn(3, 4, 5, 2, dtype=dtype).contiguous(memory_format=memory_format)
    return x.requires_grad_()


@pytest.mark.parametrize('num_channels', [None, 3])
@pytest.mark.parametrize('memory_format', FORMATS)
def test_equals_the_mean_with_its_derivatives(memory_format, num_channels):
    x = make_frames(memory_format)

    def square(x):  # of which there is a second derivative
        return frame_means(x, torch.float64, num_channels).square()

    expected = x.mean((2, 3))[:, :num_channels]
    torch.testing.assert_close(frame_means(x, x.dtype, num_channels), expected)
    assert gradcheck(square, x, check_forward_ad=True)
    assert gradgradcheck(square, x)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_sums_are_taken_in_the_given_dtype(dtype):
    x = make_frames(torch.channels_last, dtype)
    means = frame_means(x, torch.float32)
    torch.testing.assert_close(means, x.float().mean((2, 3)))
    means.sum().backward()
    torch.testing.assert_close(x.grad, torch.full_like(x, 1 / 10))


def test_samples_have_gradients_of_their_own():
    x = torch.randn(2, 3, 4, 5, 2, dtype=torch.float64)

    def score(x):
        return frame_means(x, x.dtype, 3).square().sum()

    expected = torch.stack([torch.func.grad(score)(each) for each in x])
    found = torch.func.vmap(torch.func.grad(score))(x)
    torch.testing.assert_close(found, expected)


def test_the_gradient_takes_no_memory():
    x = make_frames(torch.contiguous_format)
    grads = []
    same = x * 1  # not a leaf, whose gradient would be copied
    same.register_hook(grads.append)
    frame_means(same, x.dtype, 2).sum().backward()
    (grad,) = grads
    assert grad.stride()[2:] == (0, 0)


def test_the_compiled_form_is_the_mean():
    x = make_frames(torch.contiguous_format)
    exported = torch.export.export(Means(), (x.detach(),))
    assert 'mean' in exported.graph_module.code
    torch.testing.assert_close(exported.module()(x), frame_means(x, x.dtype, 2))


class Means(torch.nn.Module):
    def forward(self, x):
        return frame_means(x, x.dtype, 2)
