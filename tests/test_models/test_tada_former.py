"""What is easily got wrong in TAdaFormer, and what users ask of it."""

import re

import pytest
import torch
from mmcv.cnn.bricks import DropPath
from small_tada_formers import ARCH, FORMS, WIDTH, build, build_trained, clips
from torch import nn

from mmtemporal.models import TAdaFormer
from mmtemporal.models.layers.tada_block import TAdaBlock

forms = pytest.mark.parametrize('form', FORMS)


def blocks(model):
    return [(k, m) for k, m in model.named_modules() if isinstance(m, TAdaBlock)]


def equal(a, b):
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


# ---------------------------------------------------------------- initial weights


@forms
def test_a_new_network_ignores_its_blocks(form):
    model = build(form)
    model.init_weights()
    x = clips()
    expected = model.eval()(x)
    for _, block in blocks(model):
        block.forward = torch.zeros_like
    assert torch.equal(model(x), expected)


@forms
def test_initial_weights(form):
    model = TAdaFormer(dict(ARCH, embed_dims=512, num_heads=8), form=form, img_size=64)
    model.init_weights()
    state = model.state_dict()
    for key, value in state.items():
        if re.search(r'(proj_out\.|bn_avg\.(weight|bias)$)', key):
            assert not value.any(), key
        elif re.search(r'routing\.(a|b|b_bias|qkv|proj)\.weight$', key):
            assert value.std() == pytest.approx(0.02, rel=0.1), key
        elif re.search(r'(proj_in|conv|attn\.out_proj|c_fc|c_proj)\.weight$', key):
            assert value.std() == pytest.approx(0.02, rel=0.1), key
        elif key in ('class_embedding', 'positional_embedding'):
            assert value.std() == pytest.approx(512**-0.5, rel=0.15), key
        elif key == 'conv1.weight':  # uniform
            assert value.abs().max() == pytest.approx((3 * 3 * 16) ** -0.5, rel=0.01)
        elif re.search(r'(ln_\w+|norm|norm_attn|bn)\.weight$', key):
            assert (value == 1).all(), key
        elif key.endswith('bias'):
            assert not value.any(), key


@forms
def test_rules_of_a_config_leave_the_start_as_it_is(form):
    rules = [dict(type='Normal', layer=['Linear', 'BatchNorm2d'], std=1, bias=1)]
    model = build(form, init_cfg=rules)
    model.init_weights()
    for _, block in blocks(model):
        assert block.proj_in.bias.any() or form == 'S'
        for part in (block.proj_out, block.bn_avg):
            assert not part.weight.any() and not part.bias.any()


@forms
def test_first_gradients_are_those_of_the_last_projections(form):
    model = build(form).train()
    model.init_weights()
    model(clips()).square().sum().backward()
    alive = {
        key.rsplit('.', 2)[1]
        for key, parameter in model.named_parameters()
        if '.tada' in key and parameter.grad.any()
    }
    assert alive == {'proj_out'}
    assert all(p.grad is not None for p in model.parameters())


# ---------------------------------------------------------------------- the block


def test_calibrations_are_not_around_one():
    block = TAdaBlock(WIDTH, routing=dict(head_dim=4)).double().eval()
    nn.init.normal_(block.proj_out.weight)
    nn.init.zeros_(block.routing.b.weight)
    nn.init.zeros_(block.routing.b_bias.weight)
    x = torch.randn(2, 3, 4, 4, WIDTH, dtype=torch.float64)
    # Kernels multiplied by zero.
    assert not block(x).any()


@forms
def test_class_tokens_pass_by_the_blocks(form):
    layer = build_trained(form).layers[0].eval()
    x = torch.randn(2, 3, 17, WIDTH, dtype=torch.float64)
    changed = x.clone()
    changed[:, :, 0] += 1
    for block in layer.tada_blocks:
        before = layer._relate_frames(block, x, (4, 4))
        after = layer._relate_frames(block, changed, (4, 4))
        assert torch.equal(before[:, :, 0], x[:, :, 0])
        assert torch.equal(after[:, :, 1:], before[:, :, 1:])
        assert not torch.equal(before[:, :, 1:], x[:, :, 1:])


@forms
def test_the_last_second_block_is_dead_in_the_s_form_alone(form):
    model = build_trained(form).train()
    model(clips()).square().sum().backward()
    dead = {k for k, p in model.named_parameters() if not p.grad.any()}
    expected = {
        f'layers.1.tada2.{k}' for k, _ in model.layers[1].tada.named_parameters()
    }
    if form == 'K':
        expected = set()
    # A batch norm takes off the shift of what is in front of it.
    assert {k for k in dead if 'layers.1.tada2.' in k} == expected
    assert len(dead) == len(expected)
    for _, block in blocks(model):  # its statistics move all the same
        assert block.bn.num_batches_tracked == 1
        assert block.bn.running_mean.any()


# ------------------------------------------------------------------ frames and grid


@forms
def test_frames_are_counted_in_each_input(form):
    model = build_trained(form).eval()
    x = clips(n=3, t=12)
    for t in (1, 2, 3, 5, 7, 12):
        counted = build_trained(form, num_segments=t).eval()
        equal(model(x[:, :, :t]), counted(x[:, :, :t]))
        # Clips do not meet.
        equal(model(x[:, :, :t])[1:], model(x[1:, :, :t]))
    assert not torch.allclose(model(x), model(x.flip(2)))


@forms
def test_an_input_frame_beyond_the_even_ones_acts_by_the_stem_alone(form):
    model = build_trained(form).eval()
    with torch.no_grad():
        model.conv1.weight[:, :, (0, 2)] = 0
    x = clips(t=6)
    other = x.clone()
    other[:, :, 1::2] = 0
    assert torch.equal(model(x), model(other))
    other[:, :, 2] = 0
    assert not torch.allclose(model(x), model(other))


def transpose_space(model):
    """Have a network see height as width."""
    grid = model.grid
    with torch.no_grad():
        model.conv1.weight.copy_(model.conv1.weight.transpose(3, 4).clone())
        for _, block in blocks(model):
            kernel = block.conv.weight
            kernel.copy_(kernel.transpose(2, 3).clone())
        patches = model.positional_embedding[1:].unflatten(0, grid)
        model.positional_embedding[1:] = patches.transpose(0, 1).flatten(0, 1).clone()
    model.img_size, model.grid = model.img_size[::-1], grid[::-1]


@forms
@pytest.mark.parametrize('size', [(16, 16), (8, 20), (8, 32)])
def test_height_and_width_are_told_apart(form, size):
    model = build_trained(form, img_size=size).eval()
    x = clips(h=size[0], w=size[1])
    expected = model(x)
    transpose_space(model)
    equal(model(x.transpose(3, 4)), expected)


@pytest.mark.parametrize('mode', ['bicubic', 'bilinear'])
def test_other_sizes(mode):
    model = build_trained(interpolate_mode=mode).eval()
    x = clips(h=8, w=32)  # with as many patches as 16 x 16
    own = build_trained(img_size=(8, 32), interpolate_mode=mode).eval()
    own.load_state_dict(model.state_dict())
    expected = model.resize_positions(model.positional_embedding, (4, 4), (2, 8))
    assert torch.equal(own.positional_embedding, expected)
    equal(model(x), own(x))
    assert torch.equal(own.positional_embedding[0], model.positional_embedding[0])
    assert not torch.allclose(own.positional_embedding, model.positional_embedding)


def test_resizing_is_that_of_images():
    model = build(interpolate_mode='bilinear')
    ramp = torch.linspace(0, 1, 4).expand(4, 4)
    embedding = torch.cat((torch.full((1, 1), 7.0), ramp.reshape(16, 1)))
    token, *patches = model.resize_positions(embedding, (4, 4), (2, 2)).flatten()
    assert token == 7
    torch.testing.assert_close(torch.stack(patches), torch.tensor([1, 5, 1, 5]) / 6)


# ------------------------------------------------------------------------- outputs


@forms
def test_features_of_frames_have_the_clips_as_mean(form):
    model = build_trained(form).eval()
    x = clips(t=6)
    expected = model(x)
    model.frame_features = True
    features = model(x)
    assert features.shape == (2, WIDTH, 3, 1, 1)
    equal(features.mean(2, keepdim=True), expected)
    # The norm of each frame by itself is something else.
    tokens = []
    model.ln_post.register_forward_pre_hook(lambda _, args: tokens.append(args[0]))
    model(x)
    assert tokens[0].shape == (2, 1, WIDTH)


@forms
def test_patches_of_layers(form):
    model = build_trained(form, out_indices=(0, 1)).eval()
    x = clips(t=5)
    patches, features = model(x)
    assert patches.shape == (2, WIDTH, 3, 4, 4)
    equal(features, build_trained(form).eval()(x))
    first = build_trained(form, out_indices=(0,), num_segments=5)
    assert len(first.layers) == 1 and not hasattr(first, 'ln_post')
    equal(first.eval()(x), patches)
    frames = first(x.transpose(1, 2).flatten(0, 1))
    equal(frames, patches.transpose(1, 2).flatten(0, 1))
    assert first.feature_frames == 3
    first.train()(x).sum().backward()
    assert all(p.grad is not None for p in first.parameters())


# ------------------------------------------------------------------------ training


@forms
def test_a_clip_is_skipped_as_a_whole(form, monkeypatch):
    model = build_trained(form, drop_path_rate=0.4)
    drops = [m for m in model.modules() if isinstance(m, DropPath)]
    assert [m.drop_prob for m in drops] == [0, 0.4]
    rows = []
    forward = DropPath.forward
    monkeypatch.setattr(
        DropPath, 'forward', lambda self, x: rows.append(len(x)) or forward(self, x)
    )
    model.train()(clips(n=2, t=6))
    # Two layers, each with three or four summands, each of which draws by itself.
    assert rows == [2] * 2 * (4 if form == 'S' else 3)


@forms
def test_freezing_clip_trains_the_blocks_alone(form):
    model = build_trained(form, freeze_clip=True).train()
    trained = {k for k, p in model.named_parameters() if p.requires_grad}
    assert trained == {k for k, _ in model.named_parameters() if '.tada' in k}
    model(clips()).square().sum().backward()
    with_grad = {k for k, p in model.named_parameters() if p.grad is not None}
    assert with_grad == trained
    assert all(block.bn.training for _, block in blocks(model))


def test_freezing_stages():
    model = build_trained('S', frozen_stages=1, freeze_clip=False).train()
    frozen = {k for k, p in model.named_parameters() if not p.requires_grad}
    front = {'class_embedding', 'positional_embedding', 'conv1.weight'}
    front |= {'ln_pre.weight', 'ln_pre.bias'}
    first = {k for k, _ in model.named_parameters() if k.startswith('layers.0.')}
    assert frozen == front | first
    assert not model.layers[0].tada.bn.training and model.layers[1].tada.bn.training
