"""The command line that converts checkpoints."""

import os
import subprocess
import sys

import pytest
import torch
from convert_tool import REPOSITORY, TINY, TOOL, convert, refuse, small_config
from mmaction.apis import init_recognizer
from mmengine import Config
from parity import CONFIGS, build_recognizer, load_fixture, make_state_dict
from selection import slow_but

from mmtemporal.checkpoints import convert_state_dict

CLASSES = '--cfg-options', 'model.cls_head.num_classes=174'
FIXTURES = {
    'tanet_r50_8f': ('tanet_r50', 'state_dict', 'module.'),
    'tin_r50_8f': ('tin_r50', 'state_dict', 'module.'),
    'tdn_r50_8f': ('tdn_r50', 'state_dict', 'module.'),
    'tada2d_r50_8f': ('tada2d_r50', 'model_state', ''),
    'tadaconvnextv2_t_16f': ('tadaconvnextv2_tiny', 'model_state', ''),
}
QUICK = ('tdn_r50_8f', 'tadaconvnextv2_t_16f')


@pytest.mark.parametrize('name', slow_but(QUICK, FIXTURES))
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


def test_as_a_program(tmp_path):
    command = [sys.executable, TOOL, tmp_path / 'src.pth', tmp_path / 'dst.pth']
    environ = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f'error: {tmp_path}/src.pth is no file'
    assert 'Traceback' not in done.stderr
