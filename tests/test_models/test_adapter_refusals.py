"""What the adapter refuses, and that it says why."""

import sys

import pytest
import torch
from adapters import (
    RESNET,
    Odd,
    T,
    adapter,
)
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from torch import nn


class Broken(nn.Conv3d):
    """A network that runs on nothing."""

    def forward(self, x):
        raise RuntimeError(f'{x.dim()} dimensions')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(where='layer9'),
            r"where='layer9' matches no module of the ResNet; it is one of \['resnet', "
            r"'tdn', .*'temporal_convs'\], .* such as layer\d, layer\d",
        ),
        (dict(where=['resnet', 'nix']), "where='nix' matches no module"),
        (dict(where='mobilenet_v2'), "where='mobilenet_v2' matches no module"),
        (dict(where='layer('), r"where='layer\(' is no pattern"),
        (dict(backbone=dict(type=Odd)), 'insertion points of TAM are known in a Odd'),
        (dict(position='behind'), "position='behind' is none of 'before', 'after'"),
        (dict(temporal='Tam'), r"temporal.type='Tam' is none of \['TAM', "),
        (dict(temporal=dict(alpha=2)), 'temporal.type=None is none of'),
        (dict(temporal=[]), r'temporal is a layer, or several of .*got \[\]'),
        (
            dict(temporal=[dict(type='TAM'), dict(type='TAdaConv2d')]),
            r"several of \['TAM', .*got \['TAM', 'TAdaConv2d'\]",
        ),
        (
            dict(temporal=[dict(type='TAdaConv2d')] * 2),
            "got .'TAdaConv2d', 'TAdaConv2d'",
        ),
        (
            dict(temporal=dict(type='TAM', beta=128)),
            'TAM does not fit layer1.0.conv2 with 64 channels and 4 frames: 64 '
            'channels are less than 128.*those of backbone.temporal',
        ),
        (
            dict(temporal=dict(type='TAM', width=1)),
            'TAM does not fit layer1.0.conv2 .*width.*those of backbone.temporal',
        ),
        (dict(num_segments=2), 'TAM does not fit layer1.0.conv2 .* and 2 frames'),
        (
            dict(temporal=dict(type='TAdaConv2d', routing=dict(reduction=128))),
            'TAdaConv2d cannot take the place of layer1.0.conv1.conv, .*reduction=128'
            '.*those of backbone.temporal',
        ),
        (
            dict(temporal='TAdaConv2d', where='layer1.0.relu'),
            'TAdaConv2d takes the place of an nn.Conv2d padded with zeros, but '
            'layer1.0.relu is ReLU',
        ),
        (
            dict(
                backbone=dict(type='ResNet3dSlowOnly', depth=18, pretrained=None),
                temporal='TAdaConv2d',
            ),
            'of an nn.Conv2d padded with zeros, but layer.*is Conv3d',
        ),
        (dict(temporal='TAdaConv3d'), 'of an nn.Conv3d padded .* is Conv2d'),
    ],
)
def test_unfit_arguments_name_the_keys(changes, message):
    with pytest.raises(ValueError, match=message):
        adapter(**changes)


@pytest.mark.parametrize(
    ('kind', 'where', 'message'),
    [
        (
            'TAM',
            'relu',
            'stands at one point, but relu runs 2 times.*change backbone.whe',
        ),
        ('TAM', 'never', 'never runs 0 times'),
        ('TAM', 'empty', 'empty runs 0 times'),
        ('TAdaConv2d', 'never', 'never runs 0 times'),
        (
            'TAM',
            'whole_clip',
            r'before whole_clip would see features of shape \(\d+, 3',
        ),
        ('TAdaConv2d', 'padded', 'but padded is Padded'),
        ('TAdaConv2d', 'circular', 'but circular is Conv2d.*padding_mode=circular'),
        ('LongTermTDM', 'norm', 'LongTermTDM convolves feature maps, but norm sees'),
    ],
)
def test_unfit_places_are_named(kind, where, message):
    with pytest.raises(ValueError, match=message):
        adapter(dict(type=Odd), kind, where=where)


def test_results_that_are_no_tensor_are_refused():
    with pytest.raises(ValueError, match='after pair would see features of shape None'):
        adapter(dict(type=Odd), where='pair', position='after')


def test_hosts_that_do_not_run_are_refused():
    with pytest.raises(
        ValueError,
        match='a Broken, takes neither the frames nor the clip that num_segments=4 '
        r'gives: \(1, 3, 4, 224, 224\): 5 dimen.*; \(4, 3, 224, 224\): 4 dimensions',
    ):
        adapter(dict(type=Broken, in_channels=3, out_channels=8, kernel_size=1))


@pytest.mark.parametrize('position', ['before', 'after'])
def test_batch_norms_are_no_places(position):
    # Whoever folds or synchronises them puts another module in their place.
    with pytest.raises(ValueError, match='layer1.0.conv1.bn is a batch norm'):
        adapter(where=r'layer1\.0\.conv1\.bn', position=position)


def test_convolutions_that_shorten_a_clip_are_not_replaced():
    class Shortening(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Conv3d(3, 8, (1, 3, 3)), nn.Conv3d(8, 8, (3, 1, 1)))

    with pytest.raises(ValueError, match="'temporal_convs' matches no module"):
        adapter(dict(type=Shortening), where='temporal_convs')


@pytest.mark.parametrize('places', [['layer1', r'layer1\.0'], [r'layer1\.0']])
def test_two_layers_at_one_module_are_refused(places):
    inner = dict(RESNET)
    if len(places) == 1:
        inner = dict(
            type='mmtemporal.TemporalAdapter',
            backbone=RESNET,
            temporal=dict(type='TAM'),
            where='layer1',
            num_segments=T,
        )
        places = [rf'backbone\.{places[0]}']
    with pytest.raises(ValueError, match='layer1.0 has a temporal layer already'):
        adapter(inner, where=places)


@pytest.mark.parametrize('kind', ['TAM', 'LongTermTDM', 'TemporalShift', 'TAdaConv2d'])
def test_wrong_numbers_of_frames_name_the_keys(kind):
    model = adapter(temporal=kind)
    with pytest.raises(
        ValueError,
        match='6 frames are not clips of num_segments=4; set num_clips .* or clip_len '
        '.* backbone.num_segments .* cls_head.num_segments',
    ):
        model(torch.randn(6, 3, 32, 32))


def test_clips_of_another_length_name_the_keys():
    model = adapter(dict(type='X3D'))
    model(torch.randn(1, 3, 4, 32, 32))
    for length in (2, 8):
        with pytest.raises(
            ValueError, match=f'{length} frames are not clips of num_seg'
        ):
            model(torch.randn(1, 3, length, 32, 32))


@pytest.mark.parametrize('library', ['timm', 'torchvision', 'mmpretrain'])
def test_a_missing_library_is_named(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, f'{library}.models', None)
    with pytest.raises(ImportError, match=f'install {library}'):
        adapter(dict(type=f'{library}.resnet18'))


@pytest.mark.parametrize('scope', ['mmengine', 'mmaction'])
def test_built_in_any_scope(scope):
    cfg = dict(
        type='mmtemporal.TemporalAdapter',
        backbone=RESNET,
        temporal=dict(type='TAM'),
        num_segments=T,
    )
    with DefaultScope.overwrite_default_scope(scope):
        assert len(MODELS.build(cfg).temporal_layers()) == 4
    assert cfg['backbone'] == RESNET  # a config is left as it is
