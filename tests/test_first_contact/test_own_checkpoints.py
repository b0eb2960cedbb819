"""Training from the weights of one's own TSN, TSM or ResNet."""

import re

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.runner import Runner, load_checkpoint
from own_checkpoints import OWN, assert_loaded, build, networks, save, slow, target


@pytest.fixture
def log(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def assert_reported(log, kind):
    (report,) = (line for line in log.messages if ': loaded ' in line)
    copied = 'copied 25 (diff_conv1.conv.weight'
    assert 'loaded 120 tensors' in report
    assert (copied in report) == ('copied' in report) == (kind == 'TDN')
    assert re.search(r'newly initialised [1-9]\d+ \(', report)


@networks
@pytest.mark.parametrize('own', ['TSN', *(slow(own) for own in OWN if own != 'TSN')])
def test_load_from(kind, own, tmp_path, log):
    source = build(OWN[own])
    tensors = save(source, str(tmp_path / 'own.pth'))
    model = target(kind)
    model.init_weights()
    before = {k: v.clone() for k, v in model.backbone.state_dict().items()}
    load_checkpoint(model, str(tmp_path / 'own.pth'))
    assert_loaded(model.backbone, tensors, before)
    assert torch.equal(model.cls_head.fc_cls.weight, source.cls_head.fc_cls.weight)
    assert_reported(log, kind)


@networks
@pytest.mark.parametrize(
    ('way', 'whole'),
    [
        ('pretrained', True),
        ('pretrained', False),
        slow('ours', True),
        ('init_cfg', True),
        slow('init_cfg', False),
        slow('prefix', True),
    ],
)
def test_weights_of_the_backbone(kind, way, whole, tmp_path, log):
    file = str(tmp_path / 'own.pth')
    tensors = save(build(OWN['TSM']), file, backbone=not whole)
    pretrained = dict(type='Pretrained', checkpoint=file)
    options = {
        'pretrained': dict(pretrained=file),
        'ours': dict(pretrained=file, torchvision_pretrain=False),
        'init_cfg': dict(init_cfg=[pretrained]),
        'prefix': dict(init_cfg=dict(pretrained, prefix='backbone.')),
    }[way]
    model = target(kind, **options)
    model.init_weights()
    assert_loaded(model.backbone, tensors)
    assert_reported(log, kind)
    if kind == 'TAda2D':  # the shortcut that a ResNet-18 does not have
        conv = model.backbone.layer1[0].downsample.conv.weight
        assert torch.equal(conv, torch.nn.init.dirac_(torch.empty_like(conv)))


@networks
def test_backbones_of_other_libraries(kind, tmp_path, log):
    """As a recognizer with ``torchvision.resnet18`` has it."""
    source = build(OWN['TSN'])
    file = str(tmp_path / 'own.pth')
    tensors = save(source, file)
    rename = target('TANet').backbone.image_name
    state = {
        f'backbone.{rename(k)}': v for k, v in tensors.items() if 'cls_head' not in k
    }
    torch.save(dict(state_dict=state), file)
    for way in ('load_from', 'pretrained', 'init_cfg'):
        model = target(kind)
        if way == 'pretrained':
            model.backbone.pretrained = file
        if way == 'init_cfg':
            rule = dict(type='Pretrained', checkpoint=file)
            model.backbone.init_cfg = rule
        model.init_weights()
        if way == 'load_from':
            load_checkpoint(model, file)
        assert_loaded(model.backbone, tensors)


def test_a_test_of_what_was_not_trained_warns(tmp_path, log):
    file = str(tmp_path / 'own.pth')
    save(build(OWN['TSN']), file)
    load_checkpoint(target('TANet'), file)
    (report,) = (record for record in log.records if ': loaded ' in record.message)
    assert report.levelname == 'WARNING'
    assert 'for a test give the checkpoint of a trained TANet' in report.message
    log.clear()
    model = target('TANet')
    model.init_weights()
    load_checkpoint(model, file)
    (report,) = (record for record in log.records if ': loaded ' in record.message)
    assert report.levelname == 'INFO' and 'for a test' not in report.message


def test_runner_and_another_number_of_classes(tmp_path, log):
    tensors = save(build(OWN['TSN'], num_classes=7), str(tmp_path / 'own.pth'))
    cfg = dict(
        type='Recognizer2D',
        backbone=dict(type='mmtemporal.TDN', depth=18, num_segments=4),
        cls_head=dict(
            type='mmtemporal.TDNHead', num_classes=5, in_channels=512, num_segments=4
        ),
    )
    runner = Runner(
        cfg,
        str(tmp_path / 'run'),
        load_from=str(tmp_path / 'own.pth'),
        default_scope='mmaction',
        experiment_name='own',
    )
    runner.model.init_weights()
    runner.load_or_resume()
    assert_loaded(runner.model.backbone, tensors)
    assert runner.model.cls_head.fc_cls.out_features == 5


def test_fewer_stages_skip_the_rest(tmp_path, log):
    file = str(tmp_path / 'own.pth')
    tensors = save(build(OWN['TSN']), file)
    few = dict(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,))
    model = target('TANet', pretrained=file, **few)
    model.init_weights()
    kept = {
        name: tensor
        for name, tensor in tensors.items()
        if not name.startswith(('layer4.', 'cls_head.'))
    }
    assert_loaded(model.backbone, kept)
    assert re.search(r'skipped \d+ \(layer4\.', log.text)
