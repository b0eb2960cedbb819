"""The adapter equals the networks that were written for a layer."""

from importlib import import_module

import pytest
import torch
from adapters import (
    MOBILENET,
    RESNET18,
    TDN,
    TINY,
    TSM,
    T,
    adapter,
    build,
    frames,
    shake,
)
from backbone_libraries import import_or_skip
from torch import nn

# For each: the network, the wrapped backbone, the layers, and what the names of the
# network have to have replaced to be those of the adapter.
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
        dict(wrapped, depth=50),
        dict(layers, where='resnet') if 'TAda2D' in reference['type'] else layers,
        names,
        marks=pytest.mark.slow,
    )
    for reference, wrapped, layers, names in PARITY[:5]
]


@pytest.mark.parametrize(
    ('reference', 'wrapped', 'layers', 'names'),
    PARITY + DEEP,
    ids=lambda value: value.get('type') and f'{value["type"]}{value.get("depth", "")}',
)
def test_equals_the_network_that_was_written_for_the_layer(
    reference, wrapped, layers, names
):
    if 'mmpretrain' in wrapped['type']:
        import_or_skip('mmpretrain.models')
        # MMAction2 has it only beside mmpretrain.
        import_module('mmaction.models.backbones.mobileone_tsm')

    def rename(name):
        for old, new in names.items():
            name = name.replace(old, new)
        return f'backbone.{name}'

    theirs = build(dict(reference, num_segments=T))
    shake(theirs)
    ours = adapter(wrapped, **layers)
    shake(ours)
    if 'TAda2D' in reference['type']:
        ours.backbone.maxpool = nn.Identity()
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
