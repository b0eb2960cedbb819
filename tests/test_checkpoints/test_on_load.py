"""The authors' checkpoints where mmengine reads one: in training and in inference."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.logging import MMLogger
from mmengine.runner import CheckpointLoader, Runner
from parity import CONFIGS, build_recognizer
from selection import slow_but

from mmtemporal.checkpoints import accept_third_party_files
from mmtemporal.checkpoints.fit import load_trained

CONVNEXT = dict(depths=(1, 1, 2, 1), channels=(32, 64, 128, 256), head_dim=16)
NETWORKS = {
    'tanet_r50': (dict(type='mmtemporal.TANet', depth=18, num_segments=4), 512),
    'tadaconvnextv2_tiny': (
        dict(type='mmtemporal.TAdaConvNeXtV2', arch=CONVNEXT, num_segments=4),
        256,
    ),
}


def build(name, **options):
    backbone, channels = NETWORKS[name]
    return build_recognizer(
        name,
        backbone=dict(_delete_=True, **{**backbone, **options}),
        cls_head=dict(num_classes=5, in_channels=channels),
    )


def as_released(name, state_dict):
    """Give the tensors of a small recognizer the names of the authors."""
    if name == 'tanet_r50':
        rules = [
            (r'^backbone\.', 'base_model.'),
            (r'^cls_head\.fc_cls\.', 'new_fc.'),
            (r'\.block\.', '.net.'),
            (r'\.conv(\d)\.conv\.', r'.conv\1.'),
            (r'\.conv(\d)\.bn\.', r'.bn\1.'),
            (r'\.downsample\.conv\.', '.downsample.0.'),
            (r'\.downsample\.bn\.', '.downsample.1.'),
        ]
    else:
        rules = [
            (r'^cls_head\.fc_cls\.', 'head.out.'),
            (r'\.norm_avg\.', '.norm_avgpool.'),
            (r'\.dwconv\.routing\.', '.dwconv_rf.'),
            (r'_rf\.norm_attn\.', '_rf.norm_transformer.'),
            (r'_rf\.qkv\.', '_rf.qkv_proj.'),
            (r'_rf\.proj\.', '_rf.attn_out.'),
        ]
    renamed = {}
    for key, tensor in state_dict.items():
        for ours, theirs in rules:
            key = re.sub(ours, theirs, key)
        renamed[key] = tensor
    if name == 'tanet_r50':
        renamed = {f'module.{key}': tensor for key, tensor in renamed.items()}
        return dict(state_dict=renamed, epoch=50, arch='resnet18')
    return dict(model_state=renamed, epoch=64)


@pytest.fixture(params=NETWORKS)
def release(request, tmp_path):
    """A network with random weights, and the file with them that its authors write."""
    model = build(request.param)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    released = as_released(request.param, model.state_dict())
    torch.save(released, tmp_path / 'theirs.pth')
    return request.param, model, str(tmp_path / 'theirs.pth')


def assert_equal(model, expected):
    torch.testing.assert_close(
        dict(model.state_dict()), dict(expected.state_dict()), rtol=0, atol=0
    )


def test_inference(release, caplog):
    name, expected, file = release
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    model = init_recognizer(build(name).cfg, file, device='cpu')
    logger.removeHandler(caplog.handler)
    assert_equal(model, expected)
    (report,) = (line for line in caplog.messages if 'of its authors' in line)
    number = len(expected.state_dict())
    assert f'of its authors: loaded {number} tensors' in report


def test_load_from(release, tmp_path):
    name, expected, file = release
    runner = Runner(
        build(name).cfg.model,
        str(tmp_path / 'run'),
        load_from=file,
        default_scope='mmaction',
        experiment_name='load_from',
        log_level='ERROR',
    )
    runner.load_or_resume()
    assert_equal(runner.model, expected)


@pytest.mark.parametrize('prefix', [{}, dict(prefix='backbone.')])
def test_init_cfg(release, prefix):
    name, expected, file = release
    init_cfg = dict(type='Pretrained', checkpoint=file, **prefix)
    backbone = build(name, init_cfg=init_cfg).backbone
    backbone.init_weights()
    assert_equal(backbone, expected.backbone)


@pytest.mark.parametrize('ours', [False, True])
def test_pretrained(release, ours):
    name, expected, file = release
    if ours:  # a recognizer of this package, as mmengine saves it
        torch.save(dict(state_dict=expected.state_dict(), meta={}), file)
    options = [{}, dict(torchvision_pretrain=False)]
    for option in options if name == 'tanet_r50' else options[:1]:
        backbone = build(name, **option).backbone
        # init_recognizer switches `pretrained` off, training does not.
        backbone.pretrained = file
        backbone.init_weights()
        assert_equal(backbone, expected.backbone)


@pytest.mark.parametrize(
    ('name', 'options', 'match'),
    [
        ('tanet_r50', dict(depth=34), r'missing.*set backbone.depth=18 \(now 34\)'),
        (
            'tanet_r50',
            dict(num_segments=8),
            r'mismatched; set backbone.num_segments=4 \(now 8\), or',
        ),
        ('tanet_r50', dict(type='mmtemporal.TIN'), 'not fit this TIN'),
        (
            'tadaconvnextv2_tiny',
            dict(arch=dict(CONVNEXT, depths=(1, 1, 3, 1))),
            '[1-9].* missing, .* set .*backbone.arch',
        ),
    ],
)
@pytest.mark.parametrize('release', NETWORKS, indirect=True)
def test_other_networks_are_refused(release, name, options, match):
    if release[0] != name:
        match = 'whose backbone is no (TANet|TIN|TAdaConvNeXtV2)'
    backbone = build(name, **options).backbone
    backbone.pretrained = release[2]
    with pytest.raises(ValueError, match=match):
        backbone.init_weights()


def test_a_release_with_strange_tensors_is_refused(release):
    _, _, file = release
    checkpoint = torch.load(file)
    (tensors,) = (v for v in checkpoint.values() if isinstance(v, dict))
    tensors['base_model.extra'] = torch.ones(1)
    torch.save(checkpoint, file)
    with pytest.raises(ValueError, match=r"theirs.pth: .*no tensors such as \['base_"):
        CheckpointLoader.load_checkpoint(file)


def test_all_other_files_stay_as_they_are(tmp_path):
    file = str(tmp_path / 'x.pth')
    for content in (
        dict(state_dict=build('tanet_r50').state_dict(), meta=dict(epoch=1)),
        {'conv1.weight': torch.ones(1), 'layer1.0.conv1.weight': torch.ones(2)},
        dict(model=torch.ones(1)),
        [torch.ones(1)],
    ):
        torch.save(content, file)
        loaded = CheckpointLoader.load_checkpoint(file)
        torch.testing.assert_close(loaded, content, rtol=0, atol=0)


def test_a_second_call_changes_nothing(release):
    before = set(CheckpointLoader._schemes)
    accept_third_party_files()
    assert set(CheckpointLoader._schemes) == before
    name, expected, file = release
    assert_equal(init_recognizer(build(name).cfg, file, device='cpu'), expected)


@pytest.mark.parametrize(
    'first', slow_but(['mmengine.runner'], ['mmtemporal', 'mmengine.runner'])
)
def test_the_order_of_imports_does_not_matter(first):
    second = ({'mmtemporal', 'mmengine.runner'} - {first}).pop()
    program = (
        f'import {first}, {second}, sys\n'
        'from mmengine.runner import CheckpointLoader as loader\n'
        "for path in ('x.pth', 'http://x.pth', 'https://x.pth'):\n"
        '    print(loader._get_checkpoint_loader(path).__code__.co_name)\n'
        "print(sum('AfterImport' in str(finder) for finder in sys.meta_path))\n"
    )
    environ = {**os.environ, 'PYTHONPATH': str(CONFIGS.parent)}
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', program],
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ['load_and_convert'] * 3 + ['0']


def test_whole_networks_for_tools(release, tmp_path):
    name, model, file = release
    config = tmp_path / 'config.py'
    model.cfg.dump(config)
    file = Path(file)
    loaded = load_trained(config, file)
    assert not loaded.training
    for key, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor)
    with pytest.raises(ValueError, match='cls_head.num_classes=5 .now 6.'):
        load_trained(config, file, {'model.cls_head.num_classes': 6})
