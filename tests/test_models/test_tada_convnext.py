"""TAdaConvNeXt: sizes, what its parts compute, and its options."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.models import Recognizer2D, Recognizer3D
from mmaction.registry import MODELS
from mmaction.utils import register_all_modules
from mmengine import Config
from parity import CONFIGS
from small_convnexts import ARCHS, T, both, build, clips, randomise, to_frames

from mmtemporal.models.backbones.tada_convnext import TAdaConvNeXt, TAdaConvNeXtV2
from mmtemporal.models.backbones.tada_convnext_block import (
    TAdaConvNeXtV2Block,
)
from mmtemporal.models.layers import quick_gelu


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
