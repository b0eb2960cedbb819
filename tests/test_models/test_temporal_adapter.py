"""Temporal layers in a network that is already there."""

import pickle
import sys
from copy import deepcopy
from importlib import import_module

import pytest
import torch
from host_libraries import import_or_skip
from mmaction.registry import MODELS
from mmengine.logging import MMLogger
from mmengine.model import ExponentialMovingAverage
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint, save_checkpoint
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmtemporal.models import fuse_for_inference

T = 4
RESNET = dict(
    type='ResNet',
    depth=18,
    num_stages=2,
    strides=(1, 2),
    dilations=(1, 1),
    out_indices=(1,),
)
RESNET18 = dict(type='ResNet', depth=18)
RESNET50 = dict(type='ResNet', depth=50)
MOBILENET = dict(type='MobileNetV2')


def build(cfg):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(deepcopy(cfg))


def adapter(backbone=RESNET, temporal='TAM', num_segments=T, **changes):
    """Builds an adapter; a layer is its config, or just its type."""
    return build(
        dict(
            type='mmtemporal.TemporalAdapter',
            backbone=backbone,
            temporal=dict(type=temporal) if isinstance(temporal, str) else temporal,
            num_segments=num_segments,
            **changes,
        )
    )


def frames(clips=2, size=32, dtype=torch.float64):
    return torch.randn(clips * T, 3, size, size, dtype=dtype)


def temporal_state(model):
    """Returns the tensors of the temporal layers, by name."""
    layers = tuple(f'{name}.' for name in model.temporal_layers())
    return {k: v.clone() for k, v in model.state_dict().items() if k.startswith(layers)}


def shake(model):
    """Moves all weights a little, and lets one batch set the batch norms."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter), alpha=0.05)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = None


# ------------------------------------------ parity with networks written for a layer


TDN = [dict(type='LongTermTDM'), dict(type='TemporalShift')]
TSM = dict(type='TemporalShift', learnt=False)
TINY = dict(
    num_blocks=[1, 2, 2, 1],
    width_factor=[0.5] * 4,
    num_conv_branches=[2] * 4,
    num_se_blocks=[0, 0, 1, 1],
)
# For each: the network, the host, the layers, and what the names of the network have
# to have replaced to be those of the adapter.
PARITY = [
    (
        dict(type='mmtemporal.TANet', depth=18),
        RESNET18,
        dict(temporal='TAM'),
        {'.block.': '.', '.tam.': '.conv2.temporal.0.'},
    ),
    (
        dict(type='mmtemporal.TIN', depth=18),
        RESNET18,
        dict(temporal='TemporalInterlace'),
        {'.conv.net1.': '.temporal.0.', '.net2.': '.'},
    ),
    (
        dict(type='mmtemporal.TDN', depth=18, frames_per_segment=1, short_term=()),
        RESNET18,
        dict(temporal=TDN),
        {'.ltdm.': '.conv2.temporal.0.', '.shift.': '.conv2.temporal.1.'},
    ),
    (
        dict(type='mmtemporal.TAda2D', depth=18, aggregation=None),
        dict(RESNET18, strides=(2, 2, 2, 2)),
        dict(temporal='TAdaConv2d', where=r'layer\d\.\d\.conv1'),
        {},
    ),
    (
        dict(type='mmaction.ResNetTSM', depth=18, pretrained2d=False),
        RESNET18,
        dict(temporal=TSM),
        {'.net.': '.'},
    ),
    (
        dict(type='mmaction.MobileNetV2TSM', pretrained2d=False),
        MOBILENET,
        dict(temporal=TSM),
        {'.net.': '.'},
    ),
    (
        dict(type='mmaction.MobileOneTSM', arch=TINY, pretrained2d=False),
        dict(type='mmpretrain.MobileOne', arch=TINY),
        dict(temporal=TSM),
        {'.net.': '.'},
    ),
]
# With bottlenecks, in which the layers stand elsewhere.
DEEP = [
    pytest.param(
        dict(reference, depth=50),
        dict(host, depth=50),
        dict(layers, where='resnet') if 'TAda2D' in reference['type'] else layers,
        names,
        marks=pytest.mark.slow,
    )
    for reference, host, layers, names in PARITY[:5]
]


@pytest.mark.parametrize(
    ('reference', 'host', 'layers', 'names'),
    PARITY + DEEP,
    ids=lambda value: value.get('type') and f'{value["type"]}{value.get("depth", "")}',
)
def test_equals_the_network_that_was_written_for_the_layer(
    reference, host, layers, names
):
    if 'mmpretrain' in host['type']:
        import_or_skip('mmpretrain.models')
        # MMAction2 has it only beside mmpretrain.
        import_module('mmaction.models.backbones.mobileone_tsm')

    def rename(name):
        for old, new in names.items():
            name = name.replace(old, new)
        return f'host.{name}'

    theirs = build(dict(reference, num_segments=T))
    shake(theirs)
    ours = adapter(host, **layers)
    shake(ours)
    if 'TAda2D' in reference['type']:
        ours.host.maxpool = nn.Identity()
    state = {rename(name): value for name, value in theirs.state_dict().items()}
    fixed = {f'{k}.0.conv.weight' for k in ours.temporal_layers()} - state.keys()
    missing, unexpected = ours.load_state_dict(state, strict=False)
    assert unexpected == []
    assert set(missing) == (fixed if layers['temporal'] is TSM else set())

    theirs, ours = theirs.double(), ours.double()
    x = frames(size=40)
    for training in (True, False):
        results = []
        for model, name_of in ((theirs, rename), (ours, str)):
            model.train(training)  # MMAction2's return nothing here
            tensors = {'input': x.clone().requires_grad_()}
            y = model(tensors['input'])
            y = y[-1] if isinstance(y, tuple) else y
            if training:
                for name, parameter in model.named_parameters():
                    if parameter.requires_grad:
                        tensors[name_of(name)] = parameter
            gradients = torch.autograd.grad(y.square().mean(), [*tensors.values()])
            buffers = {name_of(k): v.clone() for k, v in model.named_buffers()}
            results.append((y.detach(), dict(zip(tensors, gradients)), buffers))
        torch.testing.assert_close(*results, rtol=1e-9, atol=1e-12)


# ----------------------------------------------------------------------- placement


def blocks(pattern, numbers, first=1, skip=0):
    """Returns the names of the blocks of consecutive stages."""
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
    ('host', 'kind', 'where', 'names'),
    PLACES,
    ids=[f'{case[0]["type"]}-{case[1]}-{case[2]}' for case in PLACES],
)
def test_places(host, kind, where, names):
    library, _, _ = host['type'].rpartition('.')
    if library:
        import_or_skip('mmpretrain.models' if library == 'mmpretrain' else library)
    with torch.device('meta'):
        model = adapter(host, kind, where=where)
    assert [*model.temporal_layers()] == [f'host.{name}.temporal' for name in names]


def test_a_layer_is_called_before_or_after_a_module():
    x = torch.randn(T, 64, 8, 8)
    for position in ('before', 'after'):
        model = adapter(where=r'layer1\.0\.conv1', position=position)
        mixed = model.host.layer1[0].conv1
        stock = build(RESNET).layer1[0].conv1
        stock.load_state_dict(mixed.state_dict(), strict=False)
        if position == 'before':
            expected = stock(mixed.temporal(x))
        else:
            expected = mixed.temporal(stock(x))
        assert torch.equal(mixed(x), expected)


def test_auxiliary_classifiers_have_no_layers():
    import_or_skip('torchvision')
    host = dict(type='torchvision.inception_v3', init_weights=False)
    with torch.device('meta'):
        names = adapter(host, 'TAdaConv2d').temporal_layers()
        assert len(names) == 53 and not any('Aux' in name for name in names)
        with pytest.raises(ValueError, match='AuxLogits.conv1.conv runs 0 times'):
            adapter(host, 'TAdaConv2d', where=r'AuxLogits\.conv1\.conv')


# The maps of the second have 9 x 15 pixels and, rounded up, 5 x 8.
@pytest.mark.parametrize('size', [(32, 64), (36, 60)])
def test_oblong_images(size):
    import_or_skip('timm')
    host = dict(
        type='timm.swin_tiny_patch4_window7_224',
        img_size=size,
        window_size=4,
        embed_dim=24,
        depths=(1, 1),
        num_heads=(2, 4),
    )
    model = adapter(host, where=r'.*\.norm1', position='after')
    assert [layer.layout for layer in model.temporal_layers().values()] == ['NHWC'] * 2
    y = model(torch.randn(T, 3, *size))
    assert y.shape == (T, 48, -(-size[0] // 8), -(-size[1] // 8))


def test_what_went_where_is_logged(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    adapter(temporal=TDN, where=r'layer\d\.0\.conv2', position='after')
    adapter(temporal='TAdaConv2d', where=[r'layer1\.0\.conv1'])
    logger.removeHandler(caplog.handler)
    assert [message for message in caplog.messages if ' places of ' in message] == [
        'LongTermTDM and TemporalShift in 2 places of ResNet:\n'
        '    after layer1.0.conv2 (64 channels, 4 frames)\n'
        '    after layer2.0.conv2 (128 channels, 4 frames)',
        'TAdaConv2d in 1 places of ResNet:\n'
        '    layer1.0.conv1.conv (64 to 64 channels)',
    ]


def test_a_recognizer_finds_the_number_of_segments():
    model = adapter()
    assert model.num_segments == model.get('num_segments') == T
    assert model.get('nothing') is None
    assert model.train() is model


# ------------------------------------------------------------------------- refusal


class Padded(nn.Conv2d):
    """A convolution that is more than one."""


class Odd(nn.Module):
    """Modules that no temporal layer, or not every one, fits."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3, padding=1)
        self.circular = nn.Conv2d(32, 32, 3, padding=1, padding_mode='circular')
        self.padded = Padded(32, 32, 3, padding=1)
        self.relu = nn.ReLU()
        self.never = nn.Conv2d(32, 32, 1)
        self.empty = nn.Sequential()
        self.norm = nn.LayerNorm(32)
        self.whole_clip = nn.Linear(32, 32)
        self.pair = nn.MaxPool2d(2, return_indices=True)

    def forward(self, x):
        x = self.relu(self.circular(self.relu(self.first(x))))
        x, _ = self.pair(self.padded(x))
        x = self.norm(x.flatten(2).transpose(1, 2))  # tokens
        return self.whole_clip(x.flatten(0, 1))


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
        (dict(backbone=dict(type=Odd)), 'no published place of TAM is known in a Odd'),
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
            'goes to one place, but relu runs 2 times.*change backbone.whe',
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
        ('LongTermTDM', 'norm', 'LongTermTDM convolves maps, but norm sees tokens'),
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
        places = [rf'host\.{places[0]}']
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


# -------------------------------------------------------- freezing and initialising


@pytest.mark.parametrize(
    ('host', 'stages', 'rest'),
    [
        (dict(RESNET, frozen_stages=1), ('conv1', 'layer1'), 'layer2'),
        (dict(MOBILENET, frozen_stages=2), ('conv1', 'layer1', 'layer2'), 'layer3'),
    ],
    ids=['ResNet', 'MobileNetV2'],
)
@pytest.mark.parametrize('kind', ['TAM', 'LongTermTDM', 'TAdaConv2d'])
def test_frozen_stages_freeze_the_layers_in_them(host, stages, rest, kind):
    where = 'resnet' if host['type'] == 'ResNet' else 'mobilenet_v2'
    model = adapter(host, kind, where=where)
    stages = tuple(f'host.{stage}.' for stage in stages)

    def assert_frozen():
        for name, parameter in model.named_parameters():
            assert parameter.requires_grad != name.startswith(stages), name

    assert_frozen()  # an optimizer is made before the first train()
    layers = [name for name in model.temporal_layers() if name.startswith(stages)]
    assert layers
    model.eval()
    model.train()
    assert_frozen()
    before = deepcopy(model.state_dict())
    model(frames(size=40, dtype=torch.float32))
    changed = [k for k, v in model.state_dict().items() if not v.equal(before[k])]
    assert any(name.startswith(f'host.{rest}.') for name in changed)
    assert not any(name.startswith(stages) for name in changed)


def norms(model):
    """Returns the batch norms of the host, and those of the temporal layers."""
    temporal = {
        norm
        for layer in model.temporal_layers().values()
        for norm in layer.modules()
        if isinstance(norm, _BatchNorm)
    }
    host = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    return [norm for norm in host if norm not in temporal], temporal


@pytest.mark.parametrize('host', [RESNET, MOBILENET], ids=lambda host: host['type'])
@pytest.mark.parametrize('kind', ['TAM', 'LongTermTDM', 'TAdaConv2d'])
def test_norm_eval_spares_the_layers(host, kind):
    model = adapter(dict(host, norm_eval=True), kind).train()
    of_host, temporal = norms(model)
    assert temporal
    assert not any(norm.training for norm in of_host)
    assert all(norm.training for norm in temporal)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(norm.training for norm in norms(model.eval())[1])


@pytest.mark.parametrize('kind', ['TAM', 'LongTermTDM', 'TAdaConv2d'])
def test_partial_bn_spares_the_layers(kind):
    host = dict(RESNET, partial_bn=True, frozen_stages=1)
    model = adapter(host, kind, where='resnet').train()
    of_host, temporal = norms(model)
    assert not any(norm.training or norm.weight.requires_grad for norm in of_host)
    frozen = set(model.host.layer1.modules())
    assert any(norm in frozen for norm in temporal)
    for norm in temporal:
        assert norm.training == norm.weight.requires_grad == (norm not in frozen)


EVERYTHING = ['Conv1d', 'Conv2d', 'Linear', 'BatchNorm1d', 'BatchNorm2d']


@pytest.mark.parametrize(
    'kind', ['TAM', 'TemporalInterlace', 'LongTermTDM', 'TemporalShift', 'TAdaConv2d']
)
def test_rules_of_the_host_do_not_initialise_the_layers(kind):
    rules = [dict(type='Normal', layer=EVERYTHING, mean=9)]
    model = adapter(dict(RESNET, init_cfg=rules), kind)
    before = temporal_state(model)
    assert before
    model.init_weights()
    torch.testing.assert_close(temporal_state(model), before, rtol=0, atol=0)
    layers = tuple(f'{name}.' for name in model.temporal_layers())
    for name, parameter in model.named_parameters():
        # The blocks, for the first convolution has rules of its own.
        if name.startswith('host.layer') and not name.startswith(layers):
            assert parameter.mean() > 8 or name.endswith('bias'), name


@pytest.mark.parametrize(
    'name', ['timm.vit_tiny_patch16_224', 'torchvision.shufflenet_v2_x0_5']
)
def test_weights_from_other_libraries_are_kept(name):
    import_or_skip(name.partition('.')[0])
    model = adapter(dict(type=name), where='.*norm1|conv1.0', position='after')
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(3)
    before = deepcopy(model.state_dict())
    model.init_weights()
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


@pytest.fixture
def host_file(tmp_path):
    """Returns a checkpoint of a MobileNetV2, and its tensors."""
    host = build(MOBILENET)
    shake(host)
    file = str(tmp_path / 'host.pth')
    save_checkpoint(dict(state_dict=host.state_dict()), file)
    return file, host.state_dict()


@pytest.mark.parametrize('owner', ['host', 'adapter'])
def test_pretrained_weights_of_the_host(owner, host_file):
    file, state = host_file
    if owner == 'host':
        model = adapter(dict(MOBILENET, pretrained=file))
    else:
        init_cfg = dict(type='Pretrained', checkpoint=file)
        model = adapter(MOBILENET, init_cfg=init_cfg)
    before = temporal_state(model)
    model.init_weights()
    torch.testing.assert_close(temporal_state(model), before, rtol=0, atol=0)
    for name, value in state.items():
        assert torch.equal(model.state_dict()[f'host.{name}'], value), name


# --------------------------------------------------------------------- checkpoints


def assert_refused(model, state, tmp_path, message):
    """Loads tensors of a backbone into one, and those of a recognizer into both."""
    recognizer = nn.Module()
    recognizer.backbone = model
    file = str(tmp_path / 'x.pth')
    for prefix, targets in (('', [model]), ('backbone.', [model, recognizer])):
        tensors = {f'{prefix}{name}': value for name, value in state.items()}
        save_checkpoint(dict(state_dict=tensors), file)
        for target in targets:
            with pytest.raises(ValueError, match=message):
                load_checkpoint(target, file)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(where=r'layer2\.\d\.conv2'), r'it lacks 0, has in excess \d+ \('),
        (dict(where=r'layer\d\.\d\.conv1'), r'it lacks \d+ \(.*in excess \d+ \('),
        (dict(temporal='TemporalInterlace'), r'it lacks \d+ \(.*in excess \d+ \('),
        (dict(num_segments=8), r'num_segments=8.*other shapes 24 \(.*\(8, 4\) instead'),
        (dict(backbone=dict(RESNET, depth=34)), r'of this .* with ResNet.*it lacks'),
        (dict(backbone=dict(RESNET, depth=50)), r'other shapes \d+ \('),
        (
            dict(backbone=MOBILENET),
            'other shapes .*set the backbone.backbone, temporal, where and num_segm',
        ),
    ],
)
def test_checkpoints_of_other_adapters_are_refused(changes, message, tmp_path):
    assert_refused(adapter(**changes), adapter().state_dict(), tmp_path, message)


@pytest.mark.parametrize(
    ('host', 'other'),
    [
        (RESNET, dict(RESNET, depth=34)),
        (dict(RESNET, depth=34), RESNET),
        (RESNET, dict(RESNET, depth=50)),
        (MOBILENET, dict(MOBILENET, widen_factor=0.5)),
        (MOBILENET, RESNET),
        (dict(type='X3D'), RESNET),
        (RESNET, dict(type=Odd)),
    ],
    ids=lambda host: f'{host["type"]}{host.get("depth", "")}',
)
def test_checkpoints_of_other_hosts_are_refused(host, other, tmp_path):
    state = build(other).state_dict()
    message = (
        'the checkpoint is (not of this|of a recognizer whose backbone is no) Temp'
    )
    assert_refused(adapter(host), state, tmp_path, message)


def test_hosts_that_resize_what_they_load_hide_no_other_clip_length(tmp_path):
    import_or_skip('mmpretrain.models')
    arch = dict(embed_dims=48, num_layers=1, num_heads=3, feedforward_channels=96)
    host = dict(
        type='mmpretrain.VisionTransformer',
        arch=arch,
        img_size=32,
        patch_size=8,
        out_type='avg_featmap',
    )
    models = [
        adapter(dict(host, img_size=size), num_segments=t, where=r'layers\.0')
        for size, t in ((32, 4), (64, 4), (32, 8))
    ]
    models[1].load_state_dict(models[0].state_dict(), strict=True)
    message = r'other shapes 6 \(.*layers.0.temporal'
    assert_refused(models[2], models[0].state_dict(), tmp_path, message)


def without(state, start):
    return {name: value for name, value in state.items() if not name.startswith(start)}


def test_half_a_checkpoint_is_refused():
    model = adapter()
    state = model.state_dict()
    with pytest.raises(ValueError, match='lacks 49 .*layer2.0.conv1.conv.weight'):
        model.load_state_dict(without(state, 'host.layer2.'), strict=False)
    with pytest.raises(ValueError, match=r'lacks \d+ .*layer2.0.conv2.temporal'):
        layer = 'host.layer2.0.conv2.temporal.'
        model.load_state_dict(without(state, layer), strict=False)
    host = without(build(RESNET).state_dict(), 'layer2.')
    with pytest.raises(ValueError, match='lacks .*host.layer2.0.conv1.conv.weight'):
        model.load_state_dict(host, strict=False)


# ------------------------------------------------------- copies, tracing, inference


@pytest.mark.parametrize(
    'copy', [deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=['d', 'p']
)
@pytest.mark.parametrize('kind', ['TAM', 'TAdaConv2d'])
def test_copies_run_layers_of_their_own(copy, kind):
    model = adapter(temporal=kind).double()
    shake(model)
    x = frames()
    model(x)
    y = model.eval()(x)
    other = copy(model)
    assert torch.equal(other(x), y)
    for layer in other.temporal_layers().values():
        shake(layer)
    assert not torch.allclose(other(x), y)
    assert torch.equal(model(x), y)


def test_averaged_weights():
    model = adapter().double().eval()
    average = ExponentialMovingAverage(model, momentum=0.5)
    shake(model)
    x = frames()
    average.update_parameters(model)
    torch.testing.assert_close(average(x), model(x))
    shake(model)
    average.update_parameters(model)
    assert not torch.allclose(average(x), model(x))


@pytest.mark.parametrize('kind', ['TAM', 'LongTermTDM', 'TAdaConv2d'])
def test_recomputed_activations_change_nothing(kind):
    host = dict(RESNET, depth=50)
    kept = adapter(host, kind).double()
    recomputed = adapter(dict(host, with_cp=True), kind).double()
    shake(kept)
    recomputed.load_state_dict(kept.state_dict())
    results = []
    x = frames()
    for model in (kept, recomputed):
        y = model(x)
        y.square().mean().backward()
        gradients = {name: value.grad for name, value in model.named_parameters()}
        results.append((y.detach(), gradients))
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('kind', ['TAM', 'TemporalInterlace', 'TAdaConv2d'])
def test_tracing_and_exporting(kind):
    model = adapter(temporal=kind).double().eval()
    traced = torch.jit.trace(model, frames(1), check_trace=False)
    x = frames(3)
    torch.testing.assert_close(traced(x), model(x))
    exported = torch.export.export(model, (x,)).module()
    torch.testing.assert_close(exported(x), model(x))


def test_layers_survive_the_merging_of_branches():
    import_or_skip('mmpretrain.models')
    host = dict(type='mmpretrain.MobileOne', arch=TINY)
    model = adapter(host, 'TemporalShift').double()
    shake(model)
    x = frames()
    model(x)
    y = model.eval()(x)
    model.host.switch_to_deploy()
    torch.testing.assert_close(model(x), y, rtol=1e-9, atol=1e-9)
    assert len(model.temporal_layers()) == 12


@pytest.mark.parametrize(
    ('host', 'changes'),
    [
        (RESNET, dict(temporal='TAM')),
        (RESNET, dict(where=r'layer\d\.0\.conv1\.conv', position='after')),
        (RESNET, dict(temporal=TDN, where='resnet')),
        (RESNET, dict(temporal=dict(type='TAdaConv2d', calibrate='cin'))),
        (RESNET, dict(temporal=dict(type='TAdaConv2d', calibrate='cout'))),
        (MOBILENET, dict(temporal='TemporalInterlace')),
        # Its batch norms have the activation inside.
        (dict(type='timm.mobilenetv2_050'), dict(temporal='TAM')),
    ],
    ids=['TAM', 'behind-conv', 'TDN', 'cin', 'cout', 'MobileNetV2', 'timm'],
)
def test_fusing_for_inference_changes_nothing(host, changes):
    if 'timm' in host['type']:
        import_or_skip('timm')
    model = adapter(host, **changes).double()
    shake(model)
    x = frames(size=40)
    model(x)
    expected = model.eval()(x)
    fused = fuse_for_inference(model)
    torch.testing.assert_close(fused(x), expected, rtol=1e-9, atol=1e-9)
