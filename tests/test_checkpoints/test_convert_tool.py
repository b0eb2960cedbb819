"""The command line that converts checkpoints."""

import argparse
import os
import re
import runpy
import subprocess
import sys

import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine import Config
from mmengine.runner import load_checkpoint
from parity import CONFIGS, build_recognizer, load_fixture, make_state_dict

from mmtemporal.checkpoints import convert_state_dict

REPOSITORY = CONFIGS.parent
TOOL = REPOSITORY / 'tools' / 'convert_checkpoint.py'
main = runpy.run_path(str(TOOL))['main']
image_file = runpy.run_path(
    str(REPOSITORY / 'tests/test_models/test_convnext_weights.py')
)['image_file']

CLASSES = '--cfg-options', 'model.cls_head.num_classes=174'
FIXTURES = {
    'tanet_r50_8f': ('tanet_r50', 'state_dict', 'module.'),
    'tin_r50_8f': ('tin_r50', 'state_dict', 'module.'),
    'tdn_r50_8f': ('tdn_r50', 'state_dict', 'module.'),
    'tada2d_r50_8f': ('tada2d_r50', 'model_state', ''),
    'tadaconvnextv2_t_16f': ('tadaconvnextv2_tiny', 'model_state', ''),
}
# The least that is recognised.
TINY = {
    'base_model.layer1.0.tam.G.0.weight': torch.rand(16, 8),
    'new_fc.weight': torch.rand(3, 5),
    'new_fc.bias': torch.rand(3),
}


def convert(*arguments):
    main([str(argument) for argument in arguments])


def refuse(match, *arguments):
    """Asserts that there is one message, and no trace of a file."""
    with pytest.raises(SystemExit, match=match) as error:
        convert(*arguments)
    assert str(error.value).startswith('error: ')
    assert '\n' not in str(error.value)
    assert not list(arguments[1].parent.glob('.*'))


@pytest.fixture
def src(tmp_path):
    torch.save(dict(state_dict=TINY), tmp_path / 'src.pth')
    return tmp_path / 'src.pth'


@pytest.fixture
def dst(tmp_path):
    return tmp_path / 'dst.pth'


# ------------------------------------------------------------ trained networks


@pytest.mark.parametrize('name', FIXTURES)
def test_releases_of_the_authors(name, tmp_path, dst, capsys):
    config, container, prefix = FIXTURES[name]
    state_dict = make_state_dict(load_fixture(name))
    released = {f'{prefix}{k}': v for k, v in state_dict.items()}
    torch.save({container: released, 'epoch': 3}, tmp_path / 'src.pth')
    config = CONFIGS / f'_base_/models/{config}.py'
    convert(tmp_path / 'src.pth', dst, '--from=authors', '--config', config, *CLASSES)
    out = capsys.readouterr().out
    assert 'of its authors' in out and f'wrote {dst}' in out
    assert ('│ 63 (base_model.conv1.bias' in out) is (name == 'tdn_r50_8f')
    assert ('│ 2 (base_model.conv1_temp' in out) is (name == 'tdn_r50_8f')

    checkpoint = torch.load(dst, weights_only=True)
    expected = convert_state_dict(state_dict)
    assert list(checkpoint['state_dict']) == list(expected)
    torch.testing.assert_close(checkpoint['state_dict'], expected, rtol=0, atol=0)
    assert checkpoint['meta']['converted_from'] == 'src.pth'
    # The config is in the file, and the file loads by mmengine's own means.
    cfg = Config.fromstring(checkpoint['meta']['cfg'], '.py')
    model = init_recognizer(cfg, str(dst), device='cpu')
    model.load_state_dict(expected, strict=True)
    torch.testing.assert_close(dict(model.state_dict()), expected, rtol=0, atol=0)


@pytest.mark.parametrize('name', ['TANet', 'ResNetTIN'])
def test_zoo(name, tmp_path, dst):
    config = 'tanet_r50' if name == 'TANet' else 'tin_r50'
    options = dict(shift_div=4) if name == 'ResNetTIN' else {}
    backbone = dict(type=f'mmaction.{name}', depth=50, num_segments=8, **options)
    theirs = build_recognizer(
        config,
        backbone=dict(_delete_=True, **backbone),
        cls_head=dict(type='TSMHead', is_shift=False),
    )
    # Constants that some old files have besides.
    state_dict = {**theirs.state_dict(), 'data_preprocessor.mean': torch.ones(3)}
    torch.save(dict(meta={}, state_dict=state_dict), tmp_path / 'src.pth')
    path = CONFIGS / f'_base_/models/{config}.py'
    convert(tmp_path / 'src.pth', dst, '--from', 'zoo', '--config', path)
    ours = build_recognizer(config)
    ours.load_state_dict(torch.load(dst)['state_dict'], strict=True)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)


def test_without_a_config_nothing_is_checked(src, dst, capsys):
    convert(src, dst)
    out = capsys.readouterr().out
    assert 'no: --config names the network' in out
    assert 'base_model.layer1.0.tam.G.0.weight is' in out
    assert len(torch.load(dst)['state_dict']) == len(TINY)


def test_misfits_name_the_keys(src, dst, tmp_path):
    def config(**backbone):
        return small_config(tmp_path, dict(type='mmtemporal.TANet', **backbone))

    model = init_recognizer(config(), device='cpu')
    torch.save(model.state_dict(), src)
    convert(src, dst, '--config', tmp_path / 'config.py')
    config(depth=34, num_segments=16)
    refuse(
        r'176 \(.*\) missing, 0 unexpected, 48 \(.*\(32, 16\).*\) mismatched.*'
        r'Set model.backbone.num_segments=8 \(now 16\), '
        r'model.backbone.depth=18 \(now 34\)',
        *(src, tmp_path / 'x.pth', '--config', tmp_path / 'config.py'),
    )
    config()
    refuse(
        r'Set model.cls_head.num_classes=10 \(now 7\)',
        *(src, tmp_path / 'x.pth', '--config', tmp_path / 'config.py'),
        *('--cfg-options', 'model.cls_head.num_classes=7'),
    )
    small_config(tmp_path, dict(type='mmtemporal.TIN'))
    refuse(
        r'missing, [1-9].* unexpected, .* Give a config whose model.backbone is',
        *(src, tmp_path / 'x.pth', '--config', tmp_path / 'config.py'),
    )
    # Without the classifier.
    state_dict = {k: v for k, v in model.state_dict().items() if 'cls' not in k}
    torch.save(state_dict, src)
    config()
    refuse(
        r'2 \(cls_head.fc_cls.weight, cls_head.fc_cls.bias\) missing',
        *(src, tmp_path / 'x.pth', '--config', tmp_path / 'config.py'),
    )


def small_config(folder, backbone, in_channels=512):
    """Writes and returns the config of a recognizer, by default on a ResNet-18."""
    base = CONFIGS / '_base_/models/tanet_r50.py'
    if not {'arch', 'backbone'} & backbone.keys():
        backbone = {'depth': 18, **backbone}
    backbone = {'num_segments': 8, **backbone}
    head = dict(num_classes=10, in_channels=in_channels)
    (folder / 'config.py').write_text(
        f'_base_ = {str(base)!r}\n'
        f'model = dict(backbone=dict(_delete_=True, **{backbone!r}), cls_head={head!r})'
    )
    return Config.fromfile(folder / 'config.py')


# ---------------------------------------------------------------------- starts


def resnet18():
    """Returns a random ResNet-18 as torchvision and timm have it."""
    shapes = {'conv1.weight': (64, 3, 7, 7)}
    norms = {'bn1': 64}
    for i, c in enumerate((64, 128, 256, 512), start=1):
        for j in range(2):
            block = f'layer{i}.{j}'
            first = c // 2 if i > 1 and j == 0 else c
            shapes[f'{block}.conv1.weight'] = (c, first, 3, 3)
            shapes[f'{block}.conv2.weight'] = (c, c, 3, 3)
            norms.update({f'{block}.bn1': c, f'{block}.bn2': c})
            if first != c:
                shapes[f'{block}.downsample.0.weight'] = (c, first, 1, 1)
                norms[f'{block}.downsample.1'] = c
    for norm, c in norms.items():
        for tensor in ('weight', 'bias', 'running_mean', 'running_var'):
            shapes[f'{norm}.{tensor}'] = (c,)
    shapes.update({'fc.weight': (10, 512), 'fc.bias': (10,)})
    return {name: torch.rand(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize('network', ['TANet', 'TIN', 'TDN', 'TAda2D'])
def test_starts_from_a_resnet(network, src, dst, tmp_path, capsys):
    image = resnet18()
    torch.save({f'module.{k}': v for k, v in image.items()}, src)
    small_config(tmp_path, dict(type=f'mmtemporal.{network}'))
    config = tmp_path / 'config.py'
    refuse('give by --config whose backbone it shall init', src, dst, '--from', 'timm')
    torch.manual_seed(1)
    convert(src, dst, '--config', config)
    out = re.sub(r'[\s│]+', ' ', capsys.readouterr().out)
    assert 'an image ResNet of torchvision or timm' in out
    assert 'skipped 2 (fc.bias, fc.weight)' in out
    assert 'newly initialised ' in out and 'seed 0' in out

    start = torch.load(dst, weights_only=True)['state_dict']
    assert all(name.startswith('backbone.') for name in start)
    stem = start['backbone.conv1.conv.weight']
    assert torch.equal(stem, image['conv1.weight'])
    (second,) = (k for k in start if re.search(r'\.layer4.1.*conv2\.conv.weight', k))
    assert torch.equal(start[second], image['layer4.1.conv2.weight'])

    # What is new is the same every time.
    convert(src, tmp_path / 'again.pth', '--from', 'torchvision', '--config', config)
    again = torch.load(tmp_path / 'again.pth')['state_dict']
    torch.testing.assert_close(again, start, rtol=0, atol=0)
    by_load_from, by_pretrained = (
        init_recognizer(Config.fromfile(config), device='cpu') for _ in range(2)
    )
    load_checkpoint(by_load_from, str(dst))
    by_pretrained.backbone.pretrained = str(dst)
    by_pretrained.backbone.init_weights()
    for model in (by_load_from, by_pretrained):
        for name, tensor in model.backbone.state_dict().items():
            assert torch.equal(tensor, start[f'backbone.{name}']), name


@pytest.mark.parametrize('layout', ['facebook', 'torchvision', 'timm', 'mmpretrain'])
def test_starts_from_a_convnext(layout, src, dst, tmp_path, capsys):
    image_file(src, layout)
    arch = dict(depths=(1, 1, 2, 1), channels=(32, 64, 128, 256))
    small_config(tmp_path, dict(type='mmtemporal.TAdaConvNeXt', arch=arch), 256)
    config = tmp_path / 'config.py'
    refuse('--from zoo, but it is an image ConvNeXt of', src, dst, '--from', 'zoo')
    convert(src, dst, '--from', layout, '--config', config)
    out = re.sub(r'[\s│]+', ' ', capsys.readouterr().out)
    assert 'inflated 1 (downsample_layers.0.0.weight)' in out
    start = torch.load(dst)['state_dict']
    model = init_recognizer(Config.fromfile(config), device='cpu')
    load_checkpoint(model, str(dst))
    for name, tensor in model.backbone.state_dict().items():
        assert torch.equal(tensor, start[f'backbone.{name}']), name
    # The layer scales are those of the file.
    assert start['backbone.stages.0.0.gamma'].std() > 0.05
    assert not start['backbone.stages.0.0.dwconv.routing.b.weight'].any()


def test_unfit_starts_are_refused(src, dst, tmp_path):
    torch.save(resnet18(), src)
    small_config(tmp_path, dict(type='mmtemporal.TANet', depth=34))
    arguments = (src, dst, '--config', tmp_path / 'config.py')
    refuse(r'src.pth does .*depth=34.* missing, .*; set backbone.depth=18', *arguments)
    small_config(tmp_path, dict(type='mmtemporal.TAdaConvNeXt', arch='tiny'), 768)
    refuse("src.pth does not fit this TAdaConvNeXt .arch='tiny'.* missing", *arguments)
    small_config(tmp_path, dict(type='mmaction.ResNetTSM'))
    refuse('model.backbone is a ResNetTSM, none of the networks of mmt', *arguments)
    wrapped = dict(backbone=dict(type='ResNet', depth=18), temporal=dict(type='TAM'))
    small_config(tmp_path, dict(type='mmtemporal.TemporalAdapter', **wrapped))
    refuse('is a TemporalAdapter, none .* by backbone.init_cfg', *arguments)
    names = tmp_path / 'names.txt'
    refuse('--class-order is for networks of', *arguments, '--class-order', names)


# ----------------------------------------------------------------- class order


def test_class_order(src, dst, tmp_path, capsys):
    ours, theirs = tmp_path / 'ours.txt', tmp_path / 'theirs.txt'
    ours.write_text('walk\nclimb\nsit down\n')
    convert(src, dst, '--class-order', ours)  # theirs are sorted
    assert '3 of 3 classes moved' in capsys.readouterr().out
    state_dict = torch.load(dst)['state_dict']
    for tensor in ('weight', 'bias'):
        # climb, sit down, walk -> walk, climb, sit down
        expected = TINY[f'new_fc.{tensor}'][[2, 0, 1]]
        assert torch.equal(state_dict[f'cls_head.fc_cls.{tensor}'], expected)

    theirs.write_text('walk\nsit down\nclimb\n\n')
    convert(src, dst, '--class-order', ours, theirs, '--force')
    bias = torch.load(dst)['state_dict']['cls_head.fc_cls.bias']
    assert torch.equal(bias, TINY['new_fc.bias'][[0, 2, 1]])


def test_unfit_class_orders_are_refused(src, dst, tmp_path):
    ours, theirs = tmp_path / 'ours.txt', tmp_path / 'theirs.txt'

    def refuse_names(match, *contents):
        for file, names in zip((ours, theirs), contents):
            file.write_text('\n'.join(names))
        files = (ours, theirs)[: len(contents)]
        refuse(match, src, dst, '--class-order', *files)

    refuse('No such file.*ours.txt', src, dst, '--class-order', ours)
    refuse_names('ours.txt holds no class names', '')
    refuse_names(r"ours.txt has more than once: 1 \('a'\)", 'aab')
    refuse_names(r"only .*ours.txt has 1 \('c'\)", 'abc', 'ab')
    refuse_names(r"only .*theirs.txt has 2 \('c', 'd'\)", 'ab', 'abcd')
    refuse_names('each of the 3 class indices of the checkpoint once, got 2', 'ab')
    torch.save({k: v for k, v in TINY.items() if 'fc' not in k}, src)
    refuse_names('the checkpoint has no classifier', 'abc')


# ---------------------------------------------------------- strange files, safety


class Malicious:
    """A class whose pickled form starts a program."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f'touch {self.trace}',)


@pytest.mark.parametrize('is_zip', [True, False])
def test_code_in_a_file_is_not_run(is_zip, src, dst, tmp_path):
    trace = tmp_path / 'trace'
    torch.save(
        dict(state_dict=TINY, extra=Malicious(trace)),
        src,
        _use_new_zipfile_serialization=is_zip,
    )
    refuse('reading it runs posix.system.*add --allow-pickle', src, dst)
    assert not trace.exists() and not dst.exists()
    convert(src, dst, '--allow-pickle')
    assert trace.exists()


def test_what_is_converted_needs_no_code(src, dst):
    torch.save(dict(state_dict=TINY, args=argparse.Namespace(lr=0.1)), src)
    refuse('runs argparse.Namespace', src, dst)
    convert(src, dst, '--allow-pickle')
    assert torch.load(dst, weights_only=True)['state_dict'].keys()


def test_unreadable_files(src, dst, tmp_path):
    refuse('nothing.pth is no file', tmp_path / 'nothing.pth', dst)
    refuse('is no file', tmp_path, dst)
    content = src.read_bytes()
    src.write_bytes(b'')
    refuse('src.pth is empty', src, dst)
    for damaged in (content[: len(content) // 2], b'<!DOCTYPE html>'):
        src.write_bytes(damaged)
        refuse('src.pth is damaged or no checkpoint of torch', src, dst)
        refuse('cannot read .*src.pth', src, dst, '--allow-pickle')
    (tmp_path / 'x.safetensors').write_bytes(b'x')
    refuse('is no file of torch; write one by', tmp_path / 'x.safetensors', dst)


def test_unknown_content(src, dst):
    def refuse_content(match, content):
        torch.save(content, src)
        refuse(match, src, dst)

    refuse_content(
        r"unknown checkpoint format: 2 tensors, the first named \['a.weight', "
        r"'a.bias'\]; known are TANet of its authors, .* of mmpretrain$",
        {'a.weight': torch.ones(1), 'a.bias': torch.ones(1)},
    )
    refuse_content('got a list', [torch.ones(1)])
    refuse_content('got a Tensor', dict(state_dict=torch.ones(1)))
    refuse_content('got a dict', {1: torch.ones(1)})
    extra = {'base_model.extra': 3}
    refuse_content(r'nothing but tensors, not so 1 \(base_mod', {**TINY, **extra})
    extra = {'base_model.extra': torch.ones(1)}
    refuse_content(r"has no tensors such as \['base_model.extra", {**TINY, **extra})
    tdn = {'base_model.layer2_bak.0.conv1.bias': torch.ones(1)}
    refuse_content('conv1.bias cannot be folded: there is no base_model', tdn)


def test_the_source_must_be_the_one_given(src, dst):
    refuse(
        '--from zoo, but it is TANet of its authors: authors', src, dst, '--from=zoo'
    )
    for wrong in (
        ['--from', 'me'],
        ['--class-order', 'a', 'b', 'c'],
        ['--cfg-options', 'a=1'],
    ):
        with pytest.raises(SystemExit) as error:
            convert(src, dst, *wrong)
        assert error.value.code == 2


def test_bad_configs(src, dst, tmp_path):
    config = tmp_path / 'config.py'
    refuse('cannot build the model of .*config.py', src, dst, '--config', config)
    for content in ('model = (', 'x = 1', "model = dict(type='Nothing')"):
        config.write_text(content)
        refuse('cannot build the model of .*config.py', src, dst, '--config', config)
    assert not dst.exists()


# --------------------------------------------------------------------- writing


def test_nothing_is_overwritten_unasked(src, tmp_path):
    dst = tmp_path / 'new' / 'folder' / 'dst.pth'
    convert(src, dst)
    before = dst.read_bytes()
    dst.write_bytes(b'mine')
    refuse('dst.pth exists; add --force', src, dst)
    assert dst.read_bytes() == b'mine'
    convert(src, dst, '--force')
    assert dst.read_bytes() == before
    # Nor is the source, but if asked.
    refuse('src.pth exists; add --force', src, src)
    convert(src, src, '--force')
    assert len(torch.load(src)['state_dict']) == len(TINY)
    refuse('is a folder', src, dst.parent, '--force')
    refuse('not a directory|Not a directory|File exists', src, src / 'dst.pth')


def test_interrupted_writing_leaves_the_old_file(src, dst, tmp_path, monkeypatch):
    dst.write_bytes(b'mine')

    def fail(checkpoint, file):
        file.write(b'half')
        raise OSError('no space left')

    monkeypatch.setattr(torch, 'save', fail)
    refuse('no space left', src, dst, '--force')
    assert dst.read_bytes() == b'mine'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['dst.pth', 'src.pth']


def test_as_a_program(tmp_path):
    command = [sys.executable, TOOL, tmp_path / 'src.pth', tmp_path / 'dst.pth']
    environ = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f'error: {tmp_path}/src.pth is no file'
    assert 'Traceback' not in done.stderr
