"""A network in a file of its own, examples/motion_excitation.py, in the stock tools."""

import re
import runpy
from importlib import import_module

import numpy as np
import pytest
import torch
from adapters import MOBILENET, RESNET18, T, build, frames, shake
from mmaction.apis import init_recognizer
from parity import CONFIGS
from stock_config import SIZE, logged, run_tool, small_config
from torch import nn

from mmtemporal.datasets import make_motion_clips
from mmtemporal.engine.statistics_hook import summarise
from mmtemporal.export import FORMATS
from mmtemporal.models.layers.temporal_layer import temporal_layers
from mmtemporal.visualization.clip import collect, look_at
from mmtemporal.visualization.figures import draw_figures

ROOT = CONFIGS.parent
MOTION = dict(type='motion_excitation.MotionResNet', depth=18, num_segments=T)
ADAPTER = dict(type='mmtemporal.TemporalAdapter', num_segments=T)
# What torchvision calls the layers of MMAction2's ResNet.
RENAMINGS = [
    (r'(conv\d)\.conv', r'\1'),
    (r'conv(\d)\.bn', r'bn\1'),
    (r'downsample\.conv', 'downsample.0'),
    (r'downsample\.bn', 'downsample.1'),
]


@pytest.fixture(autouse=True)
def example(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'examples')
    return import_module('motion_excitation')


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'motion_clips'
    return make_motion_clips(root, num_train=16, num_val=8, size=SIZE, num_frames=8)


def make_config(data_root, backbone):
    cfg = small_config('TANet', data_root)
    cfg.model.backbone = backbone
    return cfg


def wake(model):
    """Move the weights that start at zero, so that the layers have an effect."""
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter)
    return model


# ------------------------------------------------------------------- the network


def test_starts_as_the_resnet_of_an_imagenet_file(tmp_path):
    plain = build(RESNET18).double()
    plain.train()
    shake(plain)
    plain(frames(size=64))
    plain.float().eval()  # as files are
    state = plain.state_dict()
    for pattern, name in RENAMINGS:
        state = {re.sub(pattern, name, key): value for key, value in state.items()}
    state.update({'fc.weight': torch.rand(9, 512), 'fc.bias': torch.rand(9)})
    torch.save(state, tmp_path / 'resnet18.pth')

    model = build(dict(MOTION, pretrained=str(tmp_path / 'resnet18.pth')))
    model.init_weights()
    model.double().eval()
    x = frames()
    assert torch.equal(model(x), plain.double()(x))
    assert not torch.equal(wake(model)(x), plain(x))
    state.pop('layer3.0.bn1.bias')
    torch.save(state, tmp_path / 'resnet18.pth')
    with pytest.raises(ValueError, match='layer3.0.conv1.bn.bias.* missing'):
        build(dict(MOTION, pretrained=model.pretrained)).init_weights()


def test_stages(example):
    model = build(dict(MOTION, temporal_stages=(1, 3), frozen_stages=2)).train()
    layers = [name for name, _ in temporal_layers(model)]
    assert layers == [f'layer{i}.{j}.conv2.excitation' for i in (2, 4) for j in (0, 1)]
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {name.partition('.')[0] for name in trained} == {'layer3', 'layer4'}
    assert 'layer4.1.conv2.excitation.expand.weight' in trained


def test_activation_checkpointing_changes_nothing():
    kept = wake(build(MOTION)).double().train()
    again = build(dict(MOTION, with_cp=True)).double().train()
    again.load_state_dict(kept.state_dict())
    x, gradients = frames(size=64), []
    for model in (kept, again):
        (model(x) ** 2).mean().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-11)
    assert all(grad.any() for grad in gradients[0].values())


def test_wrong_numbers_of_frames_are_refused():
    with pytest.raises(ValueError, match='6 frames, not a mult.*num_segments=4; set '):
        build(MOTION)(torch.randn(6, 3, 32, 32))


# --------------------------------------------------------------- looking at layers


def test_gates_are_drawn_and_logged(data_root):
    model = wake(init_recognizer(make_config(data_root, MOTION), device='cpu'))
    clips = [look_at(model, data_root / f'val/00000{i}.mp4') for i in (0, 1)]
    figures = draw_figures(clips)
    assert [*figures] == ['gates']
    assert figures['gates'].texts[0].get_text().startswith('MotionExcitation: gat')
    gates = collect(clips, 'gate')
    shown = figures['gates'].axes[0].images[0].get_array()
    expected = np.stack([gate[0].mean(1) for gate in gates.values()])
    np.testing.assert_allclose(shown, expected)
    names = [f'backbone.layer{i}.{j}' for i in range(1, 5) for j in (0, 1)]
    scalars = summarise(clips[0].records)
    assert [*scalars] == [
        f'temporal/{name}.conv2.excitation/gate_{measure}'
        for name in names
        for measure in ('mean', 'std')
    ]
    assert [*scalars.values()][0] == pytest.approx(float(expected[0].mean()))


# ---------------------------------------------------------------- the stock tools


@pytest.mark.parametrize(
    'backbone',
    [
        dict(MOTION, type='mmtemporal.MotionResNet', temporal_stages=(3,)),
        pytest.param(
            dict(
                ADAPTER,
                backbone=dict(MOBILENET, widen_factor=0.25),
                temporal=dict(type='MotionExcitation'),
                where='.*layer5.*conv.1',
            ),
            marks=pytest.mark.slow,
        ),
    ],
    ids=['MotionResNet', 'TemporalAdapter'],
)
def test_the_exported_file_gives_the_same_scores(backbone, data_root, tmp_path):
    cfg = make_config(data_root, backbone)
    cfg.custom_imports.imports = ['mmtemporal', 'motion_excitation']
    cfg.model.cls_head.in_channels = 1280 if 'backbone' in backbone else 512
    cfg.dump(tmp_path / 'config.py')
    model = wake(init_recognizer(cfg, device='cpu'))
    nn.init.normal_(model.cls_head.fc_cls.weight, std=0.5)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    # Batch norms are folded, and nothing is written if the scores differ.
    export = runpy.run_path(str(ROOT / 'tools/export.py'))['main']
    files = [str(tmp_path / name) for name in ('config.py', 'model.pth', 'model.onnx')]
    export([*files[:2], '--out', files[2]])
    clips = torch.randn(2, T, 3, SIZE, SIZE)
    with torch.no_grad():
        expected = model(clips, stage='head')
    scores = FORMATS['onnx'].open(files[2])(clips)
    assert expected.std() > 0.01
    torch.testing.assert_close(torch.as_tensor(scores), expected, rtol=1e-4, atol=1e-4)


def test_trains_and_logs(data_root, tmp_path):
    cfg = make_config(data_root, MOTION)
    cfg.custom_hooks = [dict(type='mmtemporal.TemporalStatisticsHook', interval=1)]
    cfg.dump(tmp_path / 'config.py')
    work_dir = tmp_path / 'work'
    options = ('--work-dir', work_dir)
    run_tool('train', tmp_path / 'config.py', *options, pythonpath=[ROOT / 'examples'])
    tag = 'temporal/backbone.layer4.1.conv2.excitation/gate_mean'
    gates = [record[tag] for record in logged(work_dir) if tag in record]
    assert gates[0] == 1 and gates[-1] != 1
    state = torch.load(work_dir / 'epoch_1.pth', weights_only=False)['state_dict']
    assert state['backbone.layer4.1.conv2.excitation.expand.weight'].any()
