"""What every backbone promises, over all that are registered."""

import pytest
import torch
from mmaction.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmengine import Config
from parity import CONFIGS
from selection import slow_but
from small_backbones import (
    BACKBONES,
    CASES,
    PARAMS,
    REGISTERED,
    RESNETS,
    T,
    build,
    clips,
    frames,
    gradients,
    scores,
)
from torch import nn

from mmtemporal.engine import GroupedOptimWrapperConstructor
from mmtemporal.networks import NETWORKS
from mmtemporal.registry import MODELS


@pytest.fixture(params=PARAMS)
def name(request):
    return request.param


@pytest.fixture(params=RESNETS)
def resnet(request):
    return request.param


def test_no_backbone_is_left_out():
    assert set(REGISTERED) == {name.split()[0] for name in CASES}


def test_shapes_and_attributes(name):
    case = CASES[name]
    model = build(name, out_indices=(0, 3))
    first, last = model.backbone(frames(name, size=64))
    assert first.shape[0] == 2 * T * case.rows
    assert first.shape[2:] == (16, 16)
    assert last.shape[1] == case.width
    assert model.backbone.num_segments == model.backbone.get('num_segments') == T
    assert model.backbone.get('nothing') is None
    assert model.backbone.train() is model.backbone


@pytest.mark.parametrize('depth', [18, 34, 50, 101, 152])
def test_all_depths_build(resnet, depth):
    case = CASES[resnet]
    cfg = Config.fromfile(CONFIGS / f'_base_/models/{case.config}.py').model.backbone
    cfg.update({**case.small, 'depth': depth, 'num_segments': T})
    with torch.device('meta'):  # without weights, and nothing is computed
        out = MODELS.build(cfg).eval()(frames(resnet, n=1, size=40))
    assert out.shape == (T, 2048 if depth >= 50 else 512, 2, 2)


@pytest.mark.parametrize(
    ('t', 'n', 'size'), [(4, 1, (40, 40)), (8, 3, (41, 47)), (16, 1, (40, 36))]
)
def test_frame_counts_sizes_and_independent_clips(name, t, n, size):
    model = build(name, num_segments=t).eval()
    x = clips(name, n + 1, size, t=t)
    changed = x.clone()
    changed[-1] = torch.randn_like(x[-1])
    with torch.no_grad():
        before, after = scores(model, x), scores(model, changed)
        alone = scores(model, x[:1])
    assert before.shape == (n + 1, 6)
    torch.testing.assert_close(after[:-1], before[:-1], rtol=0, atol=0)
    assert not torch.equal(after[-1], before[-1])
    torch.testing.assert_close(alone, before[:1])


@pytest.mark.parametrize('name', [n for n in BACKBONES if CASES[n].takes_clips])
def test_clips_are_equal_to_frames(name):
    backbone = build(name).backbone.eval().double()
    x = torch.randn(2, 3, T, 32, 32, dtype=torch.float64)
    from_clips = backbone(x)
    from_frames = backbone(x.transpose(1, 2).flatten(0, 1))
    assert from_clips.dim() == 5 and from_frames.dim() == 4
    if len(from_frames) == 2:  # which are means
        from_clips = from_clips.mean((2, 3, 4), keepdim=True)
    else:
        from_clips = from_clips.transpose(1, 2)
    torch.testing.assert_close(from_clips.reshape(from_frames.shape), from_frames)


def test_every_parameter_gets_a_gradient(name):
    model = build(name).train()
    _, grads = gradients(model, clips(name))
    zero = [key for key, grad in grads.items() if not grad.any()]
    # A batch norm behind it takes off the bias of a routing's first layer, which
    # the authors' checkpoints have, and those of a long-term module, of which only
    # rounding is left.
    biases = ('routing.a.bias', 'pooled_bn.bias', 'full_bn.bias')
    # Behind this block only class tokens are read, which it does not change.
    dead = {key for key in grads if '.layers.3.tada2.' in key}
    assert len(dead) == (22 if name == 'TAdaFormer of form S' else 0)
    assert dead <= {*zero}
    assert all(key.endswith(biases) for key in {*zero} - dead)


@pytest.mark.parametrize('name', [name for name in RESNETS if name in NETWORKS])
def test_stages_behind_the_output_wait_for_no_gradient(name):
    kind = MODELS.get(f'mmtemporal.{name}')
    backbone = kind(depth=18, num_segments=T, out_indices=(1,)).train()
    shape = (T, 3, 5, 64, 64) if name == 'TDN' else (T, 3, 64, 64)
    backbone(torch.randn(shape)).sum().backward()
    named = backbone.named_parameters()
    assert not [n for n, p in named if p.requires_grad and p.grad is None]


def test_every_parameter_is_in_one_group(name):
    model = build(name)
    rules = [
        dict(kind='norm', decay_mult=0),
        dict(name=r'^cls_head\.', lr_mult=5),
    ]
    constructor = GroupedOptimWrapperConstructor(
        dict(optimizer=dict(type='SGD', lr=1.0, weight_decay=0.1)), dict(groups=rules)
    )
    groups = constructor(model).optimizer.param_groups
    found = [id(p) for group in groups for p in group['params']]
    assert sorted(found) == sorted(map(id, model.parameters()))


@pytest.mark.parametrize('fc_lr5', [False, True])
def test_every_parameter_is_in_one_group_of_the_stock_constructor(resnet, fc_lr5):
    model = build(resnet)
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.get('TSMOptimWrapperConstructor')(
        dict(optimizer=dict(type='SGD', lr=1.0)), dict(fc_lr5=fc_lr5)
    )
    groups = constructor(model).optimizer.param_groups
    found = [id(p) for group in groups for p in group['params']]
    assert sorted(found) == sorted(map(id, model.parameters()))
    rates = {id(p): g['lr'] for g in groups for p in g['params']}
    fc = model.cls_head.fc_cls
    assert rates[id(fc.weight)] == (5 if fc_lr5 else 1)


def test_state_dict_round_trip(name):
    model, other = build(name).eval(), build(name).eval()
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    other.load_state_dict(model.state_dict(), strict=True)
    x = clips(name)
    assert torch.equal(scores(model, x), scores(other, x))
    assert torch.equal(scores(model, x), scores(model, x))


# MMAction2's networks move their batch norms once more when they recompute.
@pytest.mark.parametrize(
    'name', slow_but(NETWORKS, [n for n in BACKBONES if not CASES[n].wrapped])
)
def test_recomputed_activations_change_nothing(name):
    kept, recomputed = build(name).double(), build(name, with_cp=True).double()
    recomputed.load_state_dict(kept.state_dict(), strict=True)
    x = clips(name, dtype=torch.float64)
    results = []
    for model in (kept, recomputed):
        results.append((*gradients(model.train(), x.clone()), model.state_dict()))
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-11)


def test_bfloat16_autocast_trains(name):
    model = build(name).train()
    x = clips(name)
    reference = scores(model, x)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        y = scores(model, x)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, reference, rtol=0.1, atol=0.05)
    y.sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_pure_bfloat16(name):
    model = build(name).eval().to(torch.bfloat16)
    x = frames(name).to(torch.bfloat16)
    assert model.backbone(x).dtype == torch.bfloat16
    assert scores(model, clips(name).to(torch.bfloat16)).dtype == torch.float32


def test_channels_last_is_equal_and_kept(name):
    # Where the last one gives means.
    out_indices = (2,) if CASES[name].rows < 1 else (3,)
    model = build(name, head=False, out_indices=out_indices).eval().double()
    x = frames(name, size=64, dtype=torch.float64)
    expected = model.backbone(x)
    for module in model.modules():
        # Not the whole model: torch refuses ConvNeXt's stem, of five dimensions.
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)
    y = model.backbone(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(y, expected)
    assert y.is_contiguous(memory_format=torch.channels_last)
