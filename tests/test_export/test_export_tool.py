"""The exported files give the scores of PyTorch, for every family."""

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmengine import Config
from selection import slow_but
from stock_config import small_config
from torch import nn

from mmtemporal.datasets import make_motion_clips
from mmtemporal.export import FORMATS
from mmtemporal.models.layers.tada_block import TAdaBlock

ROOT = Path(__file__).parents[2]
CLASSES = [f'motion {i}' for i in range(8)]
TADAFORMER = dict(
    arch=dict(
        _delete_=True,
        embed_dims=128,
        num_layers=2,
        num_heads=4,
        feedforward_channels=128,
        patch_size=4,
    )
)
# What makes exporters slow is the number of layers: a stage shows them all.
NETWORKS = {
    'TANet': ('TANet', dict(temporal_stages=(3,))),
    'TIN': ('TIN', dict(temporal_stages=(3,))),
    'TDN': ('TDN', dict(long_term_stages=(3,), shift_stages=(3,))),
    'TAda2D': ('TAda2D', dict(temporal_stages=(3,))),
    'TAdaConvNeXt': (
        'TAdaConvNeXtV2',
        dict(
            _delete_=True,
            type='mmtemporal.TAdaConvNeXt',
            arch=dict(depths=[1, 1, 1, 1], channels=[32, 64, 128, 512]),
            num_segments=4,
        ),
    ),
    'TAdaConvNeXtV2': (
        'TAdaConvNeXtV2',
        dict(
            arch=dict(
                _delete_=True,
                depths=[1, 1, 1, 1],
                channels=[32, 64, 128, 512],
                head_dim=16,
            )
        ),
    ),
    'TAdaFormer': ('TAdaFormer', TADAFORMER),
    'TAdaFormer of form S': ('TAdaFormer', dict(TADAFORMER, form='S')),
    'TemporalAdapter': (
        'TIN',
        dict(
            _delete_=True,
            type='mmtemporal.TemporalAdapter',
            backbone=dict(type='MobileNetV2', widen_factor=0.25, out_indices=(7,)),
            temporal=dict(type='TemporalInterlace'),
            where='.*layer5.*conv.1',
            num_segments=4,
        ),
    ),
}


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'motion_clips'
    return make_motion_clips(root, num_train=8, num_val=8, size=36, num_frames=20)


@pytest.fixture(scope='module')
def video(data_root):
    return str(data_root / 'val/000000.mp4')


@pytest.fixture(scope='module')
def make_model(data_root, tmp_path_factory):
    """Write a config and a checkpoint of a network whose scores are not all zero."""

    def make(name):
        folder = tmp_path_factory.mktemp(name)
        source, changes = NETWORKS[name]
        cfg = small_config(source, data_root)
        cfg.merge_from_dict({'model.backbone': changes})
        if name == 'TemporalAdapter':
            cfg.model.cls_head.in_channels = 1280
        cfg.dump(folder / 'config.py')
        model = init_recognizer(cfg, device='cpu')
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                # At rest many temporal layers do nothing.
                nn.init.uniform_(module.weight, 0.5, 1)
                nn.init.uniform_(module.running_var, 0.5, 1)
            elif isinstance(module, TAdaBlock):
                nn.init.normal_(module.proj_out.weight, std=0.1)
        nn.init.normal_(model.cls_head.fc_cls.weight, std=0.5)
        torch.save(dict(state_dict=model.state_dict()), folder / 'model.pth')
        return folder / 'config.py', folder / 'model.pth'

    return make


def run(tool, model, out, *options):
    tool.main([*map(str, model), '--out', str(out), *map(str, options)])


def constants(graph):
    return {x.name for x in graph.initializer}


@pytest.mark.slow
@pytest.mark.parametrize('name', NETWORKS)
def test_onnx_of_every_family(name, tool, make_model, video, tmp_path, capsys):
    out = tmp_path / 'model.onnx'
    run(tool, make_model(name), out, '--check', video)
    report = capsys.readouterr().out
    assert f'wrote {out}: ' in report
    assert 'MB, opset 18' in report
    assert report.count('it differs from PyTorch by') == 2

    model = onnx.load(out)
    onnx.checker.check_model(model)
    assert [(o.domain, o.version) for o in model.opset_import] == [('', 18)]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == 'batch'
    # Every kernel is a constant, and no shape depends on values.
    kernels = {n.input[1] for n in model.graph.node if n.op_type == 'Conv'}
    assert kernels
    assert kernels <= constants(model.graph)
    operators = {n.op_type for n in model.graph.node}
    assert not operators & {'NonZero', 'If', 'Loop', 'Scan', 'ScatterND', 'Compress'}


@pytest.fixture(scope='module')
def tdn(make_model):
    return make_model('TDN')


@pytest.mark.parametrize(
    'kind', slow_but(['torchscript'], ['torchscript', 'torch-export'])
)
@pytest.mark.parametrize('name', slow_but(['TDN'], ['TDN', 'TAdaFormer']))
def test_formats_of_torch(kind, name, tool, make_model, tdn, video, tmp_path):
    model = tdn if name == 'TDN' else make_model(name)
    out = tmp_path / f'model{FORMATS[kind].suffix}'
    run(tool, model, out, '--format', kind, '--check', video, '--normalise')
    rows = 4 * (5 if name == 'TDN' else 1)
    frames = torch.randint(256, (2, rows, 3, 36, 36), dtype=torch.uint8)
    with torch.no_grad():
        both = FORMATS[kind].open(out)(frames)
        one = FORMATS[kind].open(out)(frames[1:])
    assert both.shape == (2, 8)
    torch.testing.assert_close(both[1:], one, rtol=1e-4, atol=1e-4)


def test_other_frames_and_size(tool, tdn, video, tmp_path, capsys):
    out = tmp_path / 'model.pt'
    run(
        *(tool, tdn, out, '--format', 'torchscript', '--check', video),
        *('--frames', '6', '--size', '44'),
    )
    assert 'input: frames (batch, 30, 3, 44, 44), float32' in capsys.readouterr().out
    with torch.no_grad():
        scores = FORMATS['torchscript'].open(out)(torch.randn(3, 30, 3, 44, 44))
    assert scores.shape == (3, 8)


@pytest.fixture(scope='module')
def exported(tool, tdn, video, tmp_path_factory):
    """TDN with everything that the tool can do to an ONNX file."""
    folder = tmp_path_factory.mktemp('exported')
    (folder / 'names.txt').write_text('\n'.join(CLASSES))
    run(
        *(tool, tdn, folder / 'tdn.onnx', '--check', video, '--normalise'),
        *('--label-map', folder / 'names.txt', '--fp16', '--int8'),
    )
    return folder


def test_smaller_files_are_close(exported):
    frames = torch.randint(256, (4, 20, 3, 36, 36), dtype=torch.uint8)
    scores, sizes = {}, {}
    for name in ('tdn', 'tdn.fp16', 'tdn.int8'):
        file = exported / f'{name}.onnx'
        scores[name], sizes[name] = FORMATS['onnx'].open(file)(frames), file.stat()
    largest = scores['tdn'].abs().max()
    half, int8 = (
        (scores[name] - scores['tdn']).abs().max() / largest
        for name in ('tdn.fp16', 'tdn.int8')
    )
    assert 0 < half < 5e-3
    assert half < int8 < 0.2
    assert sizes['tdn.fp16'].st_size < 0.55 * sizes['tdn'].st_size
    assert sizes['tdn.int8'].st_size < 0.3 * sizes['tdn'].st_size


def test_example_gives_the_scores_of_the_recognizer(exported, tdn, video):
    config, checkpoint = map(str, tdn)
    model = init_recognizer(Config.fromfile(config), checkpoint, device='cpu')
    expected = inference_recognizer(model, video).pred_score
    code = f"""if 1:
        import json, sys
        sys.path.insert(0, {str(ROOT / 'examples')!r})
        import onnx_video
        scores, view = onnx_video.score({str(exported / 'tdn.onnx')!r}, {video!r})
        modules = {{name.split('.')[0] for name in sys.modules}}
        print(json.dumps([scores.tolist(), view['classes'], sorted(modules)]))
    """
    command = [sys.executable, '-c', code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    scores, classes, modules = json.loads(done.stdout)
    probabilities = torch.tensor(scores).softmax(0)
    torch.testing.assert_close(probabilities, expected, rtol=0, atol=1e-4)
    assert classes == CLASSES
    assert not {'torch', 'mmengine', 'mmcv', 'mmaction', 'mmtemporal'} & set(modules)


def test_example_prints_the_classes(exported, video):
    script = ROOT / 'examples/onnx_video.py'
    command = [sys.executable, script, exported / 'tdn.onnx', video, '--top', '8']
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    shares = [float(line.split('%')[0]) for line in lines]
    assert sorted(line.split('  ')[-1] for line in lines) == CLASSES
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.1)


def test_nothing_is_written_if_the_scores_differ(
    tool, tdn, video, tmp_path, monkeypatch
):
    kind = FORMATS['torchscript']

    def open_and_spoil(file):
        run_file = kind.open(file)
        return lambda frames: run_file(frames) + 0.1

    monkeypatch.setitem(tool.FORMATS, 'torchscript', kind._replace(open=open_and_spoil))
    with pytest.raises(SystemExit, match='nothing was written: .* differs by 1.0e-01'):
        run(tool, tdn, tmp_path / 'model.pt', '--format', 'torchscript')
    assert not list(tmp_path.iterdir())


def test_old_torch_writes_no_onnx(tool, tdn, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, '__version__', '2.5.1')
    with pytest.raises(SystemExit, match='need torch 2.6 or newer, got 2.5.1'):
        run(tool, tdn, tmp_path / 'model.onnx')
    assert not list(tmp_path.iterdir())


def test_errors(tool, tdn, make_model, tmp_path, capsys):
    def refused(message, *options, model=tdn):
        with pytest.raises(SystemExit, match=f'^error: .*{message}'):
            run(tool, model, tmp_path / 'model.onnx', *options)

    (tmp_path / 'empty.mp4').touch()
    (tmp_path / 'names.txt').write_text('one\ntwo\n')
    refused('missing.mp4 is no file', '--check', 'missing.mp4')
    refused('cannot read .*empty.mp4', '--check', tmp_path / 'empty.mp4')
    refused(
        '2 lines, but cls_head.num_classes=8', '--label-map', tmp_path / 'names.txt'
    )
    refused('no file', model=(tdn[0], tmp_path / 'missing.pth'))
    refused(
        'model.backbone.num_segments=4 .now 16.',
        *('--frames', 16),
        model=make_model('TANet'),
    )
    (tmp_path / 'model.onnx').touch()
    refused('model.onnx exists; add --force')
    with pytest.raises(SystemExit):
        run(tool, tdn, tmp_path / 'model.pt', '--format', 'torchscript', '--int8')
    assert '--int8 needs --format onnx' in capsys.readouterr().err
