"""TAdaFormer in training: batch norms that stay, and recomputed activations."""

import pytest
import torch
from small_tada_formers import FORMS, build_trained, clips
from torch.nn.modules.batchnorm import _BatchNorm

forms = pytest.mark.parametrize('form', FORMS)


@pytest.mark.parametrize('option', ['norm_eval', 'partial_bn'])
def test_norms_that_keep_their_statistics(option):
    model = build_trained('S', **{option: True})
    before = {k: v.clone() for k, v in model.state_dict().items()}
    assert model.train() is model
    model(clips()).square().sum().backward()
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    # Two of each of four blocks, which are trained all the same.
    assert len(norms) == 8 and not any(norm.training for norm in norms)
    assert all(norm.weight.requires_grad for norm in norms)
    assert model.layers[0].training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


@forms
def test_recomputed_activations_change_nothing(form):
    """Neither do clips that a layer skips, which are the same again."""
    results = []
    for with_cp in (False, True):
        model = build_trained(form, drop_path_rate=0.5, with_cp=with_cp).train()
        torch.manual_seed(1)
        x = clips(4).requires_grad_()
        y = model(x)
        y.square().mean().backward()
        gradients = {k: p.grad for k, p in model.named_parameters()}
        results.append((y.detach(), x.grad, gradients, model.state_dict()))
    torch.testing.assert_close(*results)


def test_recomputed_activations_with_a_frozen_clip():
    model = build_trained(freeze_clip=True, with_cp=True).train()
    model(clips()).square().sum().backward()
    trained = {k: p for k, p in model.named_parameters() if p.requires_grad}
    assert trained and all(p.grad is not None for p in trained.values())
