"""Checkpoints of one's own TSN, TSM or ResNet, and what they initialise."""

import re
import runpy
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from network_names import RESNETS, head_of
from selection import slow_but

TOOL = Path(__file__).parents[1] / 'tools' / 'convert_checkpoint.py'
main = runpy.run_path(str(TOOL))['main']
TSM = dict(type='ResNetTSM', depth=18, num_segments=4, pretrained2d=False)
OWN = {
    'TSN': dict(type='ResNet', depth=18),
    'TSM': dict(TSM, shift_place='blockres'),
    'TSM of blocks': dict(TSM, shift_place='block'),
    'TSM with a pool': dict(TSM, temporal_pool=True),
}


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


# The others are as one of these.
QUICK = ('TANet', 'TDN')
networks = pytest.mark.parametrize('kind', slow_but(QUICK, RESNETS))


def build(backbone, head='TSNHead', num_classes=5):
    cls_head = dict(type=head, num_classes=num_classes, in_channels=512)
    if not head.startswith('TSN'):
        cls_head.update(num_segments=4)
    cfg = dict(type='Recognizer2D', backbone=dict(backbone), cls_head=cls_head)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(cfg)


def target(kind, num_classes=5, **changes):
    cfg = dict(type=f'mmtemporal.{kind}', num_segments=4, **{'depth': 18, **changes})
    return build(cfg, f'mmtemporal.{head_of(kind)}', num_classes)


def save(model, file, backbone=False):
    """Write what a training with mmengine writes, and return the tensors."""
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    state = (model.backbone if backbone else model).state_dict()
    torch.save(
        dict(
            meta=dict(epoch=3, iter=12, experiment_name='own'),
            state_dict=state,
            optimizer=optimizer.state_dict(),
            message_hub=dict(),
            param_schedulers=[],
        ),
        file,
    )
    return {k.removeprefix('backbone.'): v.clone() for k, v in state.items()}


def plain(name):
    """Return the name of a tensor without the wrappers of TSM, TANet and TIN."""
    return re.sub(r'\.(net2?|block)(?=\.)', '', name)


def assert_loaded(backbone, tensors, before=None):
    """Assert that the ResNet is that of the file, and the rest as it was."""
    theirs = {plain(name): tensor for name, tensor in tensors.items()}
    loaded = set()
    for name, tensor in backbone.state_dict().items():
        if plain(name) in theirs:
            assert torch.equal(tensor, theirs[plain(name)]), name
            loaded.add(plain(name))
        elif name.startswith('diff_layer'):
            source = theirs[plain(name.removeprefix('diff_'))]
            assert torch.equal(tensor, source), name
        elif name == 'diff_conv1.conv.weight':
            stem = theirs['conv1.conv.weight'].mean(1, keepdim=True)
            torch.testing.assert_close(tensor, stem.expand_as(tensor))
        elif before is not None:
            assert torch.equal(tensor, before[name]), name
    assert {name for name in theirs if not name.startswith('cls_head')} == loaded
    for module in backbone.modules():
        if type(module).__name__ == 'TemporalAggregation':
            assert not any(p.any() for p in module.parameters())
