"""TAdaConvNeXt: parity, sizes, what its parts compute, and its options."""

import re

import pytest
import torch
import torch.nn.functional as F
from mmaction.models import Recognizer2D, Recognizer3D
from mmaction.registry import MODELS
from mmaction.utils import register_all_modules
from mmengine import Config
from parity import CONFIGS, load_fixture
from torch import nn

from mmtemporal.checkpoints.tada_convnext import (
    is_official,
    rename_official,
    reshape_official,
)
from mmtemporal.models.backbones.tada_convnext import TAdaConvNeXt, TAdaConvNeXtV2
from mmtemporal.models.backbones.tada_convnext_block import (
    TAdaConvNeXtBlock,
    TAdaConvNeXtV2Block,
)
from mmtemporal.models.layers import quick_gelu

DEPTHS, CHANNELS = (1, 1, 2, 1), (32, 64, 128, 256)
ARCHS = {
    TAdaConvNeXt: dict(depths=DEPTHS, channels=CHANNELS),
    TAdaConvNeXtV2: dict(depths=DEPTHS, channels=CHANNELS, head_dim=16),
}
T = 4
both = pytest.mark.parametrize('network', ARCHS)


def build(network, **options):
    """Builds a small network for clips of four frames, its blocks at work."""
    defaults = dict(arch=ARCHS[network], num_segments=T, layer_scale_init_value=1.0)
    return network(**{**defaults, **options})


def randomise(model):
    """Takes a network away from its start, where much of it is zero."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model


def clips(n=2, t=T, size=(32, 32), dtype=torch.float64):
    return torch.randn(n, 3, t, *size, dtype=dtype)


def to_frames(x):
    return x.transpose(1, 2).flatten(0, 1)


# --------------------------------------------------------------------- names


def test_official_names():
    names = load_fixture('tadaconvnextv2_t_16f')['state_dict']
    assert len(names) == 434
    # The twelve tensors of every routing function tell the format.
    assert sum(map(is_official, names)) == 18 * 12
    block = 'backbone.stages.2.8.'
    for theirs, ours in [
        ('dwconv_rf.g.bias', 'dwconv.routing.g.bias'),
        ('dwconv_rf.bn.running_var', 'dwconv.routing.bn.running_var'),
        ('dwconv_rf.ln.weight', 'dwconv.routing.ln.weight'),
        ('dwconv_rf.norm_transformer.bias', 'dwconv.routing.norm_attn.bias'),
        ('norm_avgpool.weight', 'norm_avg.weight'),
    ]:
        assert rename_official(block + theirs) == block + ours
    for foreign in [
        'backbone.conv2.res_1.conv_branch.b_rf.a.weight',
        'backbone.stages.4.0.gamma',
        'backbone.stages.0.0.gamma.weight',
        'backbone.stages.0.0.dwconv_rf.b.bias',
        'backbone.norm1.weight',
        'head.weight',
    ]:
        assert rename_official(foreign) is None


def test_official_tensors_of_the_first_version():
    backbone = build(TAdaConvNeXt)
    own = backbone.state_dict(prefix='backbone.')
    theirs = {}
    for name, tensor in own.items():
        name = name.replace('.dwconv.routing.', '.dwconv_rf.')
        if name.endswith('dwconv.weight'):
            tensor = tensor[None, None, :, :]  # (1, 1, c, 1, 7, 7)
        elif name.endswith('dwconv.bias'):
            tensor = tensor[None, None]
        elif tensor.dim() == 3:
            tensor = tensor[..., None, None]  # (o, i, t, 1, 1)
        elif re.search(r'downsample_layers\.[123]\.1\.weight', name):
            tensor = tensor[:, :, None]  # (o, i, 1, 2, 2)
        theirs[name] = tensor
    back = {rename_official(k): reshape_official(k, v) for k, v in theirs.items()}
    assert back.keys() == own.keys()
    for name, tensor in own.items():
        assert torch.equal(back[name], tensor), name


# --------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ('config', 'kind', 'depth', 'width', 'rate'),
    [
        ('tadaconvnext_tiny', TAdaConvNeXt, 9, 768, 0.4),
        ('tadaconvnextv2_tiny', TAdaConvNeXtV2, 9, 768, 0.2),
        ('tadaconvnextv2_small', TAdaConvNeXtV2, 27, 768, 0.4),
        ('tadaconvnextv2_base', TAdaConvNeXtV2, 27, 1024, 0.6),
    ],
)
def test_base_configs(config, kind, depth, width, rate):
    register_all_modules()
    cfg = Config.fromfile(CONFIGS / f'_base_/models/{config}.py')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert type(model.backbone) is kind
    blocks = [block for stage in model.backbone.stages for block in stage]
    assert len(model.backbone.stages[2]) == depth
    assert model.backbone.norm.normalized_shape == (width,)
    assert model.cls_head.fc_cls.in_features == width
    rates = [block.drop_path.drop_prob for block in blocks]
    expected = torch.linspace(0, rate, len(blocks)).tolist()
    assert rates == pytest.approx(expected, abs=1e-6)


# ------------------------------------------------------------------- forward


@both
@pytest.mark.parametrize('t', [1, 4, 5])
def test_frames_and_clips_are_equal(network, t):
    x = clips(n=3, t=t, size=(33, 70))
    for gap in (False, True):
        options = dict(num_segments=t, out_indices=(0, 3), gap_before_final_norm=gap)
        backbone = randomise(network(ARCHS[network], **options)).double().eval()
        first, last = backbone(x)
        steps = (t + 1) // 2
        assert first.shape == (3, 32, steps, 8, 17)
        assert last.shape == ((3, 256, 1, 1, 1) if gap else (3, 256, steps, 1, 2))
        outs = backbone(to_frames(x))
        assert outs[1].shape == ((3, 256, 1, 1) if gap else (3 * steps, 256, 1, 2))
        torch.testing.assert_close(outs[0], to_frames(first))
        torch.testing.assert_close(outs[1], to_frames(last))


def test_both_recognizers_give_the_same_scores():
    register_all_modules()

    def recognizer(kind, **options):
        arch = ARCHS[TAdaConvNeXt]
        backbone = dict(type='mmtemporal.TAdaConvNeXt', arch=arch, num_segments=T)
        head = dict(type='mmtemporal.TAdaHead', num_classes=7, in_channels=256)
        return kind(backbone, {**head, **options}).eval()

    x = clips(dtype=torch.float32)
    of_clips = randomise(recognizer(Recognizer3D))
    of_frames = recognizer(Recognizer2D, num_segments=1)
    of_frames.load_state_dict(of_clips.state_dict())
    expected = of_clips(x.unsqueeze(1), stage='head')
    assert expected.shape == (2, 7)
    scores = of_frames(x.transpose(1, 2).contiguous(), stage='head')
    torch.testing.assert_close(scores, expected)


@both
def test_final_norm(network):
    backbone = randomise(build(network)).double().eval()
    norms = [backbone.norm.weight, backbone.norm.bias]
    x = clips(size=(64, 64))
    maps = []
    backbone.norm.register_forward_pre_hook(lambda module, args: maps.append(args[0]))
    default = backbone(x)
    backbone.gap_before_final_norm = True
    pooled = backbone(x)
    backbone.gap_before_final_norm = False
    per_frame = backbone(x)
    mean = maps[2].unflatten(0, (2, 2)).mean((1, 3, 4))
    expected = F.layer_norm(mean, (256,), *norms, eps=1e-6)
    torch.testing.assert_close(pooled.flatten(1), expected)
    # To a head that averages the default is the same, to one that crops it is not.
    assert default.shape == per_frame.shape and default.std((2, 3, 4)).max() > 1e-3
    torch.testing.assert_close(default.mean((2, 3, 4)), expected)
    expected = F.layer_norm(maps[2].movedim(1, -1), (256,), *norms, eps=1e-6)
    torch.testing.assert_close(to_frames(per_frame).movedim(1, -1), expected)


@both
def test_clips_are_independent(network):
    backbone = randomise(build(network)).double().eval()
    x = clips(3)
    changed = x.clone()
    changed[-1] = torch.randn_like(x[-1])
    before, after = backbone(x), backbone(changed)
    torch.testing.assert_close(after[:-1], before[:-1], rtol=0, atol=0)
    assert not torch.equal(after[-1], before[-1])
    torch.testing.assert_close(backbone(x[:1]), before[:1])


def test_second_version_aggregates_neighbouring_frames():
    block = randomise(
        TAdaConvNeXtV2Block(8, 3, dict(type='attention', head_dim=4), 0, 1)
    )
    block = block.double()
    x = torch.randn(2 * 3, 8, 6, 7, dtype=torch.float64)
    y = block.dwconv(x).unflatten(0, (2, 3))
    padded = F.pad(y, (0, 0) * 3 + (1, 1))
    mean = (padded[:, :-2] + y + padded[:, 2:]) / 3
    z = block.norm(y.movedim(2, -1)) + block.norm_avg(mean.movedim(2, -1))
    z = block.gamma * block.pwconv2(quick_gelu(block.pwconv1(z)))
    torch.testing.assert_close(block(x), x + z.movedim(-1, 2).flatten(0, 1))


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


# ------------------------------------------------------------------ training


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


@both
def test_memory_format_is_kept(network):
    backbone = randomise(build(network, gap_before_final_norm=False)).double().eval()
    x = to_frames(clips(size=(96, 64)))
    expected = backbone(x)
    assert expected.is_contiguous()
    y = backbone(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(y, expected)
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.slow
@both
@pytest.mark.parametrize(('t', 'as_frames'), [(4, False), (5, True)])
def test_export_with_any_number_of_clips(network, t, as_frames):
    backbone = network(ARCHS[network], t, out_indices=(1, 3)).eval()
    n = torch.export.Dim('n', min=1, max=64)
    two, three = (clips(n, t, dtype=torch.float32) for n in (2, 3))
    if as_frames:
        two, three, n = to_frames(two), to_frames(three), t * n
    exported = torch.export.export(backbone, (two,), dynamic_shapes=({0: n},)).module()
    torch.testing.assert_close(exported(three), backbone(three), rtol=1e-4, atol=1e-5)


# ----------------------------------------------------------------- bad input


@both
def test_bad_input_names_the_keys(network):
    backbone = build(network)
    with pytest.raises(
        ValueError, match='clips of 5 frames, not num_segments=4; .*clip_len'
    ):
        backbone(torch.rand(1, 3, 5, 32, 32))
    with pytest.raises(ValueError, match='6 frames.*num_segments=4; set num_clips'):
        backbone(torch.rand(6, 3, 32, 32))
    with pytest.raises(ValueError, match='31 x 40 pixels.*needs 32 x 32; .*Resize'):
        backbone(torch.rand(1, 3, 4, 31, 40))
    build(network, out_indices=(1,))(torch.rand(1, 3, 4, 8, 8))
    assert backbone.get('num_segments') == 4
    assert backbone.get('nothing') is None


@both
def test_bad_arguments_name_the_keys(network):
    sizes = {TAdaConvNeXt: 'tiny.*small', TAdaConvNeXtV2: 'tiny.*small.*base'}
    for arch in ('large', dict(depths=(1, 1, 1, 1)), {**ARCHS[network], 'width': 2}):
        with pytest.raises(ValueError, match=f'backbone.arch=.*{sizes[network]}'):
            build(network, arch=arch)
    for out_indices in ((), (4,), (-1,)):
        with pytest.raises(ValueError, match='backbone.out_indices='):
            build(network, out_indices=out_indices)
    with pytest.raises(ValueError, match='backbone.frozen_stages=3 names a stage'):
        build(network, frozen_stages=3, out_indices=(1,))
    with pytest.raises(ValueError, match='backbone.pretrained or backbone.init_cfg'):
        build(network, pretrained='x.pth', init_cfg=dict(type='Constant'))


def test_the_first_version_has_no_base_size():
    with pytest.raises(ValueError, match="backbone.arch='base' is none of"):
        build(TAdaConvNeXt, arch='base')
