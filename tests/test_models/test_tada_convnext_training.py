"""TAdaConvNeXt in training: recomputed activations, and what is frozen."""

import pytest
import torch
from small_convnexts import both, build, clips, randomise
from torch import nn

from mmtemporal.models.backbones.tada_convnext import TAdaConvNeXt
from mmtemporal.models.backbones.tada_convnext_block import (
    TAdaConvNeXtBlock,
    TAdaConvNeXtV2Block,
)


@pytest.mark.parametrize('block', [TAdaConvNeXtBlock, TAdaConvNeXtV2Block])
def test_stochastic_depth_skips_whole_clips(block):
    kind = 'attention' if block is TAdaConvNeXtV2Block else 'conv'
    routing = dict(type=kind, head_dim=4) if kind == 'attention' else dict(type=kind)
    block = block(8, 3, routing, drop_path_rate=0.25, layer_scale_init_value=1.0)
    block = randomise(block).double()
    x = torch.randn(32 * 3, 8, 5, 5, dtype=torch.float64)
    # The batch norm of the routing uses its statistics, so that modes compare.
    block.eval()
    change = (block(x) - x).unflatten(0, (32, 3))
    block.drop_path.train()
    ratio = (block(x) - x).unflatten(0, (32, 3)) / change
    kept = ratio.flatten(1).mean(1).gt(0.5)
    assert 0 < kept.sum() < 32
    torch.testing.assert_close(ratio[kept], torch.full_like(ratio[kept], 4 / 3))
    assert not ratio[~kept].any()


@both
def test_recomputed_activations_change_nothing(network):
    results = []
    kept = randomise(build(network, drop_path_rate=0.5)).double()
    recomputed = build(network, drop_path_rate=0.5, with_cp=True).double()
    recomputed.load_state_dict(kept.state_dict())
    x = clips(4)
    for backbone in (kept, recomputed):
        torch.manual_seed(1)
        y = backbone.train()(x)
        y.square().mean().backward()
        gradients = {k: p.grad for k, p in backbone.named_parameters()}
        results.append((y.detach(), gradients, backbone.state_dict()))
    torch.testing.assert_close(*results)


@both
def test_frozen_stages(network):
    for frozen, parts in [
        (-1, []),
        (0, ['downsample_layers.0.']),
        (1, ['downsample_layers.0.', 'stages.0.']),
        (2, ['downsample_layers.0.', 'stages.0.', 'downsample_layers.1.', 'stages.1.']),
    ]:
        backbone = build(network, frozen_stages=frozen)
        assert backbone.train() is backbone
        for name, parameter in backbone.named_parameters():
            assert parameter.requires_grad != name.startswith(tuple(parts)), name
        for name, module in backbone.named_modules():
            if name.count('.') >= 2:
                assert module.training != name.startswith(tuple(parts)), name


def test_frozen_batch_norms():
    def norms(**options):
        modules = build(TAdaConvNeXt, **options).train().modules()
        return [m for m in modules if isinstance(m, nn.BatchNorm1d)]

    assert [m.training for m in norms()] == [True] * 5
    for option in ('norm_eval', 'partial_bn'):
        assert not any(m.training for m in norms(**{option: True}))
        assert all(m.weight.requires_grad for m in norms(**{option: True}))
    assert not norms(routing=dict(norm='ln'))
