"""The tool that converts checkpoints, with one's own TSN, TSM or ResNet."""

import re

import pytest
import torch
from mmengine import Config
from mmengine.runner import load_checkpoint
from network_names import head_of
from own_checkpoints import (
    OWN,
    assert_loaded,
    build,
    main,
    networks,
    save,
    target,
)


def write_config(kind, folder, num_classes=5):
    file = folder / 'config.py'
    cfg = dict(
        type='Recognizer2D',
        backbone=dict(type=f'mmtemporal.{kind}', depth=18, num_segments=4),
        cls_head=dict(
            type=f'mmtemporal.{head_of(kind)}',
            num_classes=num_classes,
            in_channels=512,
            num_segments=4,
        ),
    )
    imports = dict(imports=['mmtemporal'], allow_failed_imports=False)
    Config(dict(model=cfg, default_scope='mmaction', custom_imports=imports)).dump(file)
    return str(file)


@networks
@pytest.mark.parametrize('own', ['TSN', 'TSM'])
def test_conversion(kind, own, tmp_path, capsys):
    src, dst = str(tmp_path / 'own.pth'), str(tmp_path / 'new.pth')
    source = build(OWN[own])
    tensors = save(source, src)
    main([src, dst, '--config', write_config(kind, tmp_path)])
    out = re.sub(r'[\s│]+', ' ', capsys.readouterr().out)
    assert 'a ResNet, TSN or TSM of MMAction2' in out
    assert 'loaded 120 tensors' in out and 'newly initialised' in out
    assert 'classifier loaded 2 tensors' in out
    model = target(kind)
    model.load_state_dict(torch.load(dst)['state_dict'], strict=True)
    assert_loaded(model.backbone, tensors)
    assert torch.equal(model.cls_head.fc_cls.weight, source.cls_head.fc_cls.weight)


def test_conversion_skips_another_classifier(tmp_path, capsys):
    src, dst = str(tmp_path / 'own.pth'), str(tmp_path / 'new.pth')
    save(build(OWN['TSN'], num_classes=7), src)
    main([src, dst, '--from', 'mmaction2', '--config', write_config('TIN', tmp_path)])
    out = re.sub(r'[\s│]+', ' ', capsys.readouterr().out)
    assert 'classifier skipped: 0 missing, 0 unexpected, 2 (cls_head.fc_cls' in out
    assert not any('cls_head' in name for name in torch.load(dst)['state_dict'])


@pytest.mark.parametrize('own', ['TSN', 'TSM', 'TSM of blocks'])
def test_conversion_without_a_config(own, tmp_path, capsys):
    src, dst = str(tmp_path / 'own.pth'), str(tmp_path / 'new.pth')
    source = build(OWN[own])
    tensors = save(source, src)
    main([src, dst])
    assert 'checked' in capsys.readouterr().out
    state = torch.load(dst)['state_dict']
    build(OWN['TSN']).load_state_dict(state, strict=True)
    model = target('TANet')
    load_checkpoint(model, dst)
    assert_loaded(model.backbone, tensors)
