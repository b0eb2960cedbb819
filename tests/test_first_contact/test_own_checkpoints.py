"""Training from the weights of one's own TSN, TSM or ResNet."""

import re
import runpy
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import Runner, load_checkpoint, load_state_dict

TOOL = Path(__file__).parents[2] / 'tools' / 'convert_checkpoint.py'
main = runpy.run_path(str(TOOL))['main']
HEADS = dict(TANet='TAMHead', TIN='TINHead', TDN='TDNHead', TAda2D='TAdaHead')
TSM = dict(type='ResNetTSM', depth=18, num_segments=4, pretrained2d=False)
OWN = {
    'TSN': dict(type='ResNet', depth=18),
    'TSM': dict(TSM, shift_place='blockres'),
    'TSM of blocks': dict(TSM, shift_place='block'),
    'TSM with a pool': dict(TSM, temporal_pool=True),
}


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


networks = pytest.mark.parametrize('kind', HEADS)


def build(backbone, head='TSNHead', num_classes=5):
    cls_head = dict(type=head, num_classes=num_classes, in_channels=512)
    if not head.startswith('TSN'):
        cls_head.update(num_segments=4)
    cfg = dict(type='Recognizer2D', backbone=dict(backbone), cls_head=cls_head)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(cfg)


def target(kind, num_classes=5, **changes):
    cfg = dict(type=f'mmtemporal.{kind}', num_segments=4, **{'depth': 18, **changes})
    return build(cfg, f'mmtemporal.{HEADS[kind]}', num_classes)


def save(model, file, backbone=False):
    """Writes what a training with mmengine writes, and returns the tensors."""
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
    """Returns the name of a tensor without the wrappers of TSM, TANet and TIN."""
    return re.sub(r'\.(net2?|block)(?=\.)', '', name)


def assert_loaded(backbone, tensors, before=None):
    """Asserts that the ResNet is that of the file, and the rest as it was."""
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


# ------------------------------------------------------------------- refusals


@networks
@pytest.mark.parametrize('own', ['TSN', 'TSM'])
def test_other_depths_are_refused(kind, own, tmp_path):
    file = str(tmp_path / 'own.pth')
    save(build(dict(OWN[own], depth=34)), file)
    for depth, match in (
        (18, r'depth=18.* unexpected, .*; set backbone.depth=34 \(now 18\)'),
        (
            50,
            r'not fit this \w+ \(depth=50, .*missing.*mismatched; .*depth=34 \(now 50',
        ),
    ):
        model = target(kind, depth=depth)
        with pytest.raises(ValueError, match=match):
            model.load_state_dict(torch.load(file)['state_dict'], strict=False)
        model.backbone.pretrained = file
        with pytest.raises(ValueError, match=match):
            model.backbone.init_weights()


OTHERS = {
    'TANet': dict(type='mmtemporal.TANet', depth=18, num_segments=4),
    'TIN': dict(type='mmtemporal.TIN', depth=18, num_segments=4),
    'TDN': dict(type='mmtemporal.TDN', depth=18, num_segments=4),
    # All but the path of the differences is a ResNet.
    'S-TDM': dict(
        type='mmtemporal.TDN',
        depth=18,
        num_segments=4,
        long_term_stages=(),
        shift_stages=(),
    ),
    'TAda2D': dict(type='mmtemporal.TAda2D', depth=18, num_segments=4),
    'calibrated': dict(
        type='ResNet',
        depth=18,
        conv_cfg=dict(type='mmtemporal.TAdaConv2d', num_segments=4),
    ),
}


@pytest.mark.parametrize(
    ('kind', 'other'),
    [
        (kind, other) if kind == 'TANet' else slow(kind, other)
        for kind in HEADS
        for other in OTHERS
        if other != kind and (kind, other) != ('TDN', 'S-TDM')
    ],
)
def test_other_temporal_networks_are_refused(kind, other, tmp_path):
    file = str(tmp_path / 'other.pth')
    state = build(OTHERS[other]).state_dict()
    torch.save(dict(state_dict=state), file)
    match = rf'not fit this {kind} .* unexpected, .*; set backbone.type'
    model = target(kind)
    with pytest.raises(ValueError, match=match) as error:
        load_checkpoint(model, file)
    named = re.findall(r'\((layer[\w.]+|diff_[\w.]+)', str(error.value))
    assert named and 'convert' not in str(error.value)
    model.backbone.pretrained = file
    with pytest.raises(ValueError, match=match):
        model.backbone.init_weights()


@networks
def test_networks_of_3d_convolutions_are_refused(kind, tmp_path):
    state = {k: v for k, v in build(OWN['TSN']).state_dict().items()}
    for name in state:
        if state[name].dim() == 4:
            state[name] = state[name][:, :, None]
    with pytest.raises(ValueError, match=r'instead of \(64, 3, 7, 7\).* mismatched'):
        target(kind).load_state_dict(state, strict=False)


# ------------------------------------------------------------------- the tool


def write_config(kind, folder, num_classes=5):
    file = folder / 'config.py'
    cfg = dict(
        type='Recognizer2D',
        backbone=dict(type=f'mmtemporal.{kind}', depth=18, num_segments=4),
        cls_head=dict(
            type=f'mmtemporal.{HEADS[kind]}',
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


@pytest.mark.parametrize('kind', ['TANet', 'TIN', 'TDN', 'TAda2D', 'TemporalAdapter'])
def test_files_that_hold_nothing_for_the_backbone_are_refused(kind):
    backbone = dict(type=f'mmtemporal.{kind}', num_segments=4)
    if kind == 'TemporalAdapter':
        layer = dict(type='TemporalShift')
        backbone.update(backbone=dict(type='ResNet', depth=18), temporal=layer)
    else:
        backbone.update(depth=18)
    head = dict(type='TSNHead', num_classes=4, in_channels=512)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(
            dict(type='Recognizer2D', backbone=backbone, cls_head=head)
        )
        other = MODELS.build(dict(type='SwinTransformer3D', arch='tiny'))
        resnet = MODELS.build(dict(type='ResNet', depth=18)).state_dict()
    other = {f'backbone.{name}': value for name, value in other.state_dict().items()}
    with pytest.raises(ValueError, match='whose backbone is no'):
        load_state_dict(model, other)
    with pytest.raises(ValueError, match='no tensor of model.backbone.*pretrained'):
        load_state_dict(model, resnet)
