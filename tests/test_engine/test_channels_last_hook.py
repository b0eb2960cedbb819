"""Weights and feature maps are channels last, from the first iteration on."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from small_backbones import build, clips, scores
from torch import nn

from mmtemporal.engine import channels_last_hook
from mmtemporal.registry import HOOKS

CHANNELS_LAST = torch.channels_last


class Network(BaseModel):
    """Two convolutions, which remember how their feature map lies in memory."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.depthwise = nn.Conv2d(4, 4, 3, groups=4)
        self.seen = []

    def forward(self, inputs, mode='loss'):
        x = self.first(torch.stack(inputs))
        self.seen.append(x.is_contiguous(memory_format=CHANNELS_LAST))
        x = self.depthwise(x)
        return dict(loss=(x**2).mean()) if mode == 'loss' else x


def run(work_dir, hooks, epochs=1, **kwargs):
    torch.manual_seed(0)
    frames = torch.randn(2, 3, 7, 6)
    runner = Runner(
        model=Network(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=2,
            num_workers=0,
            dataset=[dict(inputs=frame) for frame in frames],
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.1)),
        custom_hooks=hooks,
        experiment_name=f'{work_dir.name}_{len(hooks)}_{epochs}_{len(kwargs)}',
        log_level='WARNING',
        **kwargs,
    )
    runner.train()
    return runner.model


@pytest.fixture
def hooks():
    return [dict(type='mmtemporal.ChannelsLastHook')]


def test_feature_maps_are_channels_last_and_weights_are_the_same(tmp_path, hooks):
    plain, last = run(tmp_path / 'plain', []), run(tmp_path / 'last', hooks)
    assert plain.seen == [False] and last.seen == [True]
    assert last.first.weight.is_contiguous(memory_format=CHANNELS_LAST)
    for a, b in zip(plain.parameters(), last.parameters()):
        torch.testing.assert_close(a, b)


def test_a_resumed_training_is_channels_last_too(tmp_path, hooks):
    once = run(tmp_path / 'once', hooks, epochs=2)
    run(tmp_path / 'twice', hooks)
    twice = run(tmp_path / 'twice', hooks, epochs=2, resume=True)
    assert twice.seen == [True]
    for a, b in zip(once.parameters(), twice.parameters()):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize('name', ['TDN', 'TAdaConvNeXtV2', 'TAdaFormer'])
def test_networks_with_3d_convolutions_too(name, hooks):
    model, other = build(name).double().eval(), build(name).double().eval()
    HOOKS.build(hooks[0]).before_run(SimpleNamespace(model=other))
    convs = [m for m in other.modules() if isinstance(m, nn.Conv2d)]
    assert convs
    for conv in convs:
        assert conv.weight.is_contiguous(memory_format=CHANNELS_LAST)
    x = clips(name, dtype=torch.float64)
    torch.testing.assert_close(scores(other, x), scores(model, x))


@pytest.mark.parametrize('wrapped', [False, True])
def test_a_distributed_model_is_left_alone(hooks, wrapped, monkeypatch):
    """DistributedDataParallel would take gradients of other strides for its own."""
    monkeypatch.setattr(channels_last_hook, 'is_model_wrapper', lambda _: wrapped)
    model = Network()
    HOOKS.build(hooks[0]).before_run(SimpleNamespace(model=model))
    weight = model.first.weight
    assert weight.is_contiguous(memory_format=CHANNELS_LAST) is not wrapped
