"""TAdaFormer initialised from image transformers of timm and mmpretrain themselves."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from backbone_libraries import import_or_skip
from clip_files import ARCH, HEADS, HIDDEN, LAYERS, PATCH, SIZE, WIDTH, build
from torch import nn


def timm_tower(activation):
    module = import_or_skip('timm.models.vision_transformer')
    layers = import_or_skip('timm.layers')
    return module.VisionTransformer(
        img_size=SIZE,
        patch_size=PATCH,
        embed_dim=WIDTH,
        depth=LAYERS,
        num_heads=HEADS,
        mlp_ratio=HIDDEN / WIDTH,
        num_classes=5,
        pre_norm=True,
        norm_layer=partial(nn.LayerNorm, eps=1e-5),
        act_layer=layers.QuickGELU if activation == 'quick_gelu' else nn.GELU,
    )


def mmpretrain_tower(activation):
    backbones = import_or_skip('mmpretrain.models.backbones')
    import_or_skip('mmpretrain.models.utils')  # which registers the activation
    kind = 'mmpretrain.QuickGELU' if activation == 'quick_gelu' else 'GELU'
    arch = {key: value for key, value in ARCH.items() if key != 'patch_size'}
    return backbones.VisionTransformer(
        arch=arch,
        img_size=SIZE,
        patch_size=PATCH,
        pre_norm=True,
        norm_cfg=dict(type='LN', eps=1e-5),
        layer_cfgs=dict(act_cfg=dict(type=kind)),
    )


def timm_tokens(network, images):
    network.norm = nn.Identity()
    return network.forward_features(images)[:, 0]


def mmpretrain_tokens(network, images):
    network.ln1 = nn.Identity()
    return network(images)[0]


LIBRARIES = {
    'timm': (timm_tower, timm_tokens, 'norm'),
    'mmpretrain': (mmpretrain_tower, mmpretrain_tokens, 'ln1'),
}


@pytest.mark.parametrize('form', ['K', 'S'])
@pytest.mark.parametrize('activation', ['quick_gelu', 'gelu'])
@pytest.mark.parametrize('library', LIBRARIES)
def test_equals_the_tower_of_a_library(library, activation, form, tmp_path):
    make, tokens, norm = LIBRARIES[library]
    network = make(activation)
    for x in network.parameters():
        nn.init.normal_(x, std=0.2)
    torch.save(dict(state_dict=network.state_dict()), tmp_path / 'clip.pth')
    options = dict(pretrained=str(tmp_path / 'clip.pth'), activation=activation)
    backbone = build(form, **options)
    backbone.init_weights()

    network.double().eval()  # which in mmpretrain returns nothing
    backbone = backbone.double().eval()
    norm = getattr(network, norm)
    clips = torch.randn(2, 3, 6, SIZE, SIZE, dtype=torch.float64)
    with torch.no_grad():
        frames = [tokens(network, frame) for frame in clips[:, :, ::2].unbind(2)]
        mean = torch.stack(frames).mean(0)
        expected = F.layer_norm(mean, mean.shape[1:], norm.weight, norm.bias, 1e-5)
        features = backbone(clips).flatten(1)
    torch.testing.assert_close(features, expected, rtol=1e-12, atol=1e-12)
    # The other activation would have told.
    other = {'gelu': 'quick_gelu', 'quick_gelu': 'gelu'}[activation]
    options['activation'] = other
    backbone = build(form, **options)
    backbone.init_weights()
    with torch.no_grad():
        assert (
            backbone.double().eval()(clips).flatten(1) - expected
        ).abs().max() > 1e-3
