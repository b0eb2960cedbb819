"""The tool that converts checkpoints, with CLIPs."""

import re

import pytest
import torch
from clip_files import ARCH, LAYOUTS, build, save_torchscript, tower
from convert_tool import convert, refuse, small_config
from mmaction.apis import init_recognizer
from mmengine import Config
from mmengine.runner import load_checkpoint
from safetensors.torch import save_file

# What --from may say of each layout.
SOURCES = {
    'OpenAI': ('openai', 'open_clip'),
    'open_clip': ('openai', 'open_clip'),
    'open_clip, trained': ('openai', 'open_clip'),
    'open_clip, with timm': ('timm', 'open_clip'),
    'the tower alone': ('openai', 'open_clip'),
    'timm': ('timm', 'open_clip'),
    'mmpretrain, a classifier': ('mmpretrain',),
    'mmpretrain, zero-shot': ('mmpretrain',),
    'transformers': ('transformers',),
    'transformers, the tower alone': ('transformers',),
}


@pytest.fixture
def config(tmp_path):
    backbone = dict(
        type='mmtemporal.TAdaFormer',
        arch=ARCH,
        img_size=16,
        routing=dict(head_dim=4),
        form='S',
    )
    cfg = small_config(tmp_path, backbone, 64)
    cfg.model.type = 'Recognizer3D'
    cfg.model.cls_head = dict(type='mmtemporal.TAdaHead', num_classes=5, in_channels=64)
    cfg.dump(tmp_path / 'config.py')
    return tmp_path / 'config.py'


@pytest.mark.parametrize('layout', LAYOUTS)
def test_initialises_a_tada_former(layout, config, tmp_path, dst, capsys):
    weights, src = tower(), tmp_path / 'clip.pt'
    content = LAYOUTS[layout](weights)
    torch.save(content, src)
    refuse(
        rf'--from facebook, but it is an? .*: {SOURCES[layout][0]} or ',
        src,
        dst,
        '--from',
        'facebook',
    )
    refuse('give by --config whose backbone it shall init', src, dst)
    for source in (*SOURCES[layout], 'auto'):
        convert(src, dst, '--from', source, '--config', config, '--force')
    out = re.sub(r'[\s│]+', ' ', capsys.readouterr().out)
    assert 'loaded 31 tensors' in out and 'inflated 1 (conv1.weight)' in out
    assert 'newly initialised 112 (layers.0.tada.' in out

    model = init_recognizer(Config.fromfile(config), device='cpu')
    load_checkpoint(model, str(dst))
    start = torch.load(dst)['state_dict']
    expected = build('S')
    torch.save(content, src)
    expected.pretrained = str(src)
    expected.init_weights()
    for name, tensor in model.backbone.state_dict().items():
        assert torch.equal(tensor, start[f'backbone.{name}']), name
        if '.tada' not in name:
            assert torch.equal(tensor, expected.state_dict()[name]), name


def test_archives_and_safetensors(config, tmp_path, dst):
    weights = LAYOUTS['OpenAI'](tower())
    save_torchscript(weights, tmp_path / 'clip.pt')
    save_file(weights, tmp_path / 'clip.safetensors')
    torch.save(weights, tmp_path / 'clip.pth')
    results = []
    for name in ('clip.pt', 'clip.safetensors', 'clip.pth'):
        convert(tmp_path / name, dst, '--from', 'openai', '--config', config, '--force')
        results.append(torch.load(dst)['state_dict'])
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], rtol=0, atol=0)


def test_unfit_ones_are_refused(config, tmp_path, dst):
    src = tmp_path / 'clip.pt'
    arguments = (src, dst, '--config', config)
    torch.save(LAYOUTS['timm'](tower(grid=6)), src)
    refuse(r'clip.pt does not fit .*set backbone.img_size=24 \(now 16\)', *arguments)
    change = ('--cfg-options', 'model.backbone.interpolate_mode=bicubic')
    convert(*arguments, *change)
    torch.save(
        {k: x for k, x in LAYOUTS['OpenAI'](tower()).items() if 'vis' not in k}, src
    )
    refuse('has the text tower of a CLIP, but no', *arguments, '--force')
    torch.save(LAYOUTS['open_clip'](tower()), src)
    small_config(tmp_path, dict(type='mmtemporal.TANet', depth=18))
    refuse(r'clip.pt does not fit this TANet \(depth=18', *arguments, '--force')
