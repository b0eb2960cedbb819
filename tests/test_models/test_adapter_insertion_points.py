"""Where the adapter puts layers."""

import pytest
import torch
from adapters import MOBILENET, RESNET, RESNET50, TDN, T, adapter, build
from backbone_libraries import import_or_skip
from mmengine.logging import MMLogger


def blocks(pattern, numbers, first=1, skip=0):
    """Return the names of the blocks of consecutive stages."""
    return [
        pattern.format(stage, i)
        for stage, number in enumerate(numbers, first)
        for i in range(skip, number)
    ]


BOTTLENECKS = (3, 4, 6, 3)
INVERTED = (2, 3, 4, 3, 3, 1)
PLACES = [
    (RESNET50, 'TAM', None, blocks('layer{}.{}.conv2', BOTTLENECKS)),
    (RESNET50, 'TemporalShift', None, blocks('layer{}.{}.conv1', BOTTLENECKS)),
    (RESNET50, 'TemporalInterlace', None, blocks('layer{}.{}.conv1', BOTTLENECKS)),
    (RESNET50, 'LongTermTDM', None, blocks('layer{}.{}.conv2', (4, 6, 3), 2)),
    (RESNET50, 'TAM', 'tdn', blocks('layer{}.{}.conv2', (4, 6, 3), 2)),
    (RESNET50, 'TAM', r'layer4\.\d', ['layer4.0', 'layer4.1', 'layer4.2']),
    (
        RESNET50,
        'TAM',
        [r'layer2\.0\.conv1', 'tdn'],
        ['layer2.0.conv1', *blocks('layer{}.{}.conv2', (4, 6, 3), 2)],
    ),
    # The first place of a sequence is that of its first module.
    (RESNET50, 'TAM', ['layer1', 'layer3'], ['layer1.0', 'layer3.0']),
    (MOBILENET, 'TAM', None, blocks('layer{}.{}.conv.1', INVERTED, 2)),
    (MOBILENET, 'LongTermTDM', None, blocks('layer{}.{}.conv.1', INVERTED, 2)),
    (MOBILENET, 'TemporalShift', None, blocks('layer{}.{}.conv.0', INVERTED, 2, 1)),
    (
        MOBILENET,
        'TAM',
        'mobilenet_v2_residual',
        blocks('layer{}.{}.conv.1', INVERTED, 2, 1),
    ),
    (
        dict(type='timm.mobilenetv2_100'),
        'TAM',
        None,
        blocks('blocks.{}.{}.conv_dw', INVERTED),
    ),
    (
        dict(type='timm.mobilenetv2_100'),
        'TemporalInterlace',
        None,
        blocks('blocks.{}.{}.conv_pw', INVERTED, 1, 1),
    ),
    (
        dict(type='torchvision.mobilenet_v2'),
        'TAM',
        None,
        [f'features.{i}.conv.1.0' for i in range(2, 18)],
    ),
    (
        dict(type='torchvision.mobilenet_v2'),
        'TemporalShift',
        None,
        [f'features.{i}.conv.0.0' for i in (3, 5, 6, 8, 9, 10, 12, 13, 15, 16)],
    ),
    (
        dict(type='torchvision.shufflenet_v2_x0_5'),
        'TAM',
        None,
        blocks('stage{}.{}.branch2.3', (4, 8, 4), 2),
    ),
    (
        dict(type='torchvision.shufflenet_v2_x0_5'),
        'TemporalInterlace',
        None,
        blocks('stage{}.{}.branch2.0', (4, 8, 4), 2, 1),
    ),
    (
        dict(type='mmpretrain.ShuffleNetV2'),
        'TAM',
        None,
        blocks('layers.{}.{}.branch2.1', (4, 8, 4), 0),
    ),
    (
        dict(type='mmpretrain.ShuffleNetV2'),
        'TemporalShift',
        None,
        blocks('layers.{}.{}.branch2.0', (4, 8, 4), 0, 1),
    ),
    (
        dict(type='torchvision.resnext50_32x4d'),
        'TAM',
        None,
        blocks('layer{}.{}.conv2', BOTTLENECKS),
    ),
]
MIXED = [f'Mixed_{name}' for name in '5b 5c 5d 6a 6b 6c 6d 6e 7a 7b 7c'.split()]
PLACES += [
    (dict(type='timm.inception_v3'), 'TemporalShift', None, MIXED),
    (dict(type='torchvision.inception_v3', init_weights=False), 'TAM', None, MIXED),
]


@pytest.mark.parametrize(
    ('wrapped', 'kind', 'where', 'names'),
    PLACES,
    ids=[f'{case[0]["type"]}-{case[1]}-{case[2]}' for case in PLACES],
)
def test_places(wrapped, kind, where, names):
    library, _, _ = wrapped['type'].rpartition('.')
    if library:
        import_or_skip('mmpretrain.models' if library == 'mmpretrain' else library)
    with torch.device('meta'):
        model = adapter(wrapped, kind, where=where)
    assert [*model.temporal_layers()] == [f'backbone.{name}.temporal' for name in names]


def test_a_layer_is_called_before_or_after_a_module():
    x = torch.randn(T, 64, 8, 8)
    for position in ('before', 'after'):
        model = adapter(where=r'layer1\.0\.conv1', position=position)
        mixed = model.backbone.layer1[0].conv1
        stock = build(RESNET).layer1[0].conv1
        stock.load_state_dict(mixed.state_dict(), strict=False)
        if position == 'before':
            expected = stock(mixed.temporal(x))
        else:
            expected = mixed.temporal(stock(x))
        assert torch.equal(mixed(x), expected)


def test_auxiliary_classifiers_have_no_layers():
    import_or_skip('torchvision')
    wrapped = dict(type='torchvision.inception_v3', init_weights=False)
    with torch.device('meta'):
        names = adapter(wrapped, 'TAdaConv2d').temporal_layers()
        assert len(names) == 53 and not any('Aux' in name for name in names)
        with pytest.raises(ValueError, match='AuxLogits.conv1.conv runs 0 times'):
            adapter(wrapped, 'TAdaConv2d', where=r'AuxLogits\.conv1\.conv')


# The maps of the second have 9 x 15 pixels and, rounded up, 5 x 8.
@pytest.mark.parametrize('size', [(32, 64), (36, 60)])
def test_oblong_images(size):
    import_or_skip('timm')
    wrapped = dict(
        type='timm.swin_tiny_patch4_window7_224',
        img_size=size,
        window_size=4,
        embed_dim=24,
        depths=(1, 1),
        num_heads=(2, 4),
    )
    model = adapter(wrapped, where=r'.*\.norm1', position='after')
    assert [layer.layout for layer in model.temporal_layers().values()] == ['NHWC'] * 2
    y = model(torch.randn(T, 3, *size))
    assert y.shape == (T, 48, -(-size[0] // 8), -(-size[1] // 8))


def test_what_went_where_is_logged(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    adapter(temporal=TDN, where=r'layer\d\.0\.conv2', position='after')
    adapter(temporal='TAdaConv2d', where=[r'layer1\.0\.conv1'])
    logger.removeHandler(caplog.handler)
    assert [
        message for message in caplog.messages if ' insertion points of ' in message
    ] == [
        'LongTermTDM and TemporalShift at 2 insertion points of ResNet:\n'
        '    after layer1.0.conv2 (64 channels, 4 frames)\n'
        '    after layer2.0.conv2 (128 channels, 4 frames)',
        'TAdaConv2d at 1 insertion points of ResNet:\n'
        '    layer1.0.conv1.conv (64 to 64 channels)',
    ]


def test_a_recognizer_finds_the_number_of_segments():
    model = adapter()
    assert model.num_segments == model.get('num_segments') == T
    assert model.get('nothing') is None
    assert model.train() is model
