"""Grad-CAM of every layout of inputs and features."""

import pytest
import torch
from mmaction.utils import GradCAM

from mmtemporal.visualization.grad_cam import default_layer, enlarge, grad_cam


@pytest.mark.parametrize('layer', ['backbone.layer2.1.relu', 'backbone.layer4.1.relu'])
def test_equal_to_the_stock_one(networks, layer):
    network = networks('TANet')
    clip = network.clips[0]
    average = network.model.cls_head.average_clips
    heat = enlarge(grad_cam(network.model, clip.data, layer), *clip.frames.shape[:3])
    stock = GradCAM(network.model, layer.replace('.', '/'))
    try:
        expected, _ = stock._calculate_localization_map(clip.data, use_labels=False)
    finally:
        network.model.cls_head.average_clips = average
        module = network.model.get_submodule(layer)
        module._forward_hooks.clear()
        module._backward_hooks.clear()
    torch.testing.assert_close(heat, expected[0])
    assert heat.std() > 0.05


@pytest.mark.parametrize('name', ['TIN', 'TDN', 'TAda2D'])
def test_behind_the_last_block(name, networks):
    """There, the gradient of a score is the row of the classifier."""
    network = networks(name)
    model, clip = network.model, network.clips[0]
    inputs = model.data_preprocessor(clip.data)['inputs']
    with torch.no_grad():
        maps = model(inputs, stage='backbone')
        scores = model(inputs, stage='head')
    if maps.dim() == 5:
        maps = maps[0].transpose(0, 1)
    row = model.cls_head.fc_cls.weight[scores.argmax()].detach()
    expected = torch.einsum('tchw,c->thw', maps, row).relu()
    heat = grad_cam(model, clip.data, default_layer(model))
    torch.testing.assert_close(heat / heat.max(), expected / expected.max())
    assert not any(m._forward_hooks for m in model.modules())


def test_frozen_networks(networks):
    model, clip = networks('TIN').model, networks('TIN').clips[0]
    expected = grad_cam(model, clip.data, 'backbone.layer3')
    model.requires_grad_(False)
    try:
        frozen = grad_cam(model, clip.data, 'backbone.layer3')
    finally:
        model.requires_grad_(True)
    torch.testing.assert_close(frozen, expected)


@pytest.mark.parametrize(
    ('layer', 'match'),
    [
        ('backbone.layer9', 'the model has no layer backbone.layer9'),
        ('cls_head', 'needs feature maps, which cls_head does not give'),
        ('cls_head.loss_cls', 'cls_head.loss_cls does not run'),
    ],
)
def test_layers_without_maps(networks, layer, match):
    network = networks('TANet')
    with pytest.raises(ValueError, match=match):
        grad_cam(network.model, network.clips[0].data, layer)


def test_maps_of_one_pixel(networks):
    network = networks('TAdaConvNeXtV2')
    layer = default_layer(network.model)
    assert layer == 'backbone.stages.3'
    with pytest.raises(ValueError, match='have one pixel; choose a layer before it'):
        grad_cam(network.model, network.clips[0].data, layer)


# ----------------------------------------------------------------------- tokens


@pytest.fixture
def former(networks):
    network = networks('TAdaFormer')
    return network.model, network.clips[0]


def test_tokens_of_patches_are_feature_maps(former):
    model, clip = former
    layer = default_layer(model)
    assert layer == 'backbone.layers.3.ln_1'
    kept = []
    handle = model.get_submodule(layer).register_forward_hook(
        lambda module, args, output: kept.append(output)
    )
    scores = model(model.data_preprocessor(clip.data)['inputs'], stage='head')
    handle.remove()
    (gradient,) = torch.autograd.grad(scores.max(), kept)
    # (1, t, 1 + h * w, c), of which the first are the class tokens
    patches, gradient = kept[0][0, :, 1:], gradient[0, :, 1:]
    expected = (patches * gradient.mean(1, keepdim=True)).sum(2).relu()
    heat = grad_cam(model, clip.data, layer)
    assert heat.shape == (2, 9, 9) and heat.std() > 0
    torch.testing.assert_close(heat.flatten(1), expected)


def test_a_changed_patch_is_found(former):
    """Rows and columns of the heat are those of the frames."""
    model, clip = former
    (frames,) = clip.data['inputs']
    data = dict(clip.data, inputs=[frames.clone()])
    data['inputs'][0][..., 4:8, 20:24] = 255
    layer = 'backbone.layers.0.ln_1'
    before, after = (grad_cam(model, each, layer) for each in (clip.data, data))
    change = (after - before).abs().sum(0)
    assert change.argmax() == 1 * 9 + 5


@pytest.mark.parametrize('layer', ['tada', 'tada.bn', 'tada.proj_in'])
def test_feature_maps_of_a_block(former, layer):
    model, clip = former
    heat = grad_cam(model, clip.data, f'backbone.layers.3.{layer}')
    assert heat.shape == (2, 9, 9)


@pytest.mark.parametrize(
    ('layer', 'match'),
    [
        ('backbone', 'have one pixel; choose a layer before it'),
        ('backbone.layers.3', 'no effect on it; choose a layer before it'),
        ('backbone.layers.3.attn', 'needs feature maps, which .*attn does not give'),
    ],
)
def test_tokens_without_an_effect(former, layer, match):
    model, clip = former
    with pytest.raises(ValueError, match=match):
        grad_cam(model, clip.data, layer)
