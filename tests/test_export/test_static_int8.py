"""ONNX files of eight bits whose scales are taken from videos."""

import onnx
import pytest
import torch
from mmaction.apis import init_recognizer
from stock_config import small_config
from torch import nn

from mmtemporal.datasets import make_motion_clips
from mmtemporal.export import FORMATS
from mmtemporal.export.comparison import read_views


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'motion_clips'
    return make_motion_clips(root, num_train=8, num_val=8, size=36, num_frames=20)


@pytest.fixture(scope='module')
def tin(data_root, tmp_path_factory):
    """A config and a checkpoint of a TIN whose feature maps do not grow."""
    folder = tmp_path_factory.mktemp('tin')
    cfg = small_config('TIN', data_root)
    cfg.model.backbone.temporal_stages = (3,)
    cfg.dump(folder / 'config.py')
    torch.manual_seed(0)
    model = init_recognizer(cfg, device='cpu')
    nn.init.normal_(model.cls_head.fc_cls.weight, std=0.5)
    torch.save(dict(state_dict=model.state_dict()), folder / 'model.pth')
    return str(folder / 'config.py'), str(folder / 'model.pth')


@pytest.mark.parametrize(
    'options', [['--normalise'], pytest.param([], marks=pytest.mark.slow)]
)
def test_calibrated_files_are_close(options, tool, tin, data_root, tmp_path, capsys):
    videos = [str(x) for x in sorted((data_root / 'train').glob('*.mp4'))]
    out = tmp_path / 'tin.onnx'
    small = tmp_path / 'tin.int8.onnx'
    options = [*options, '--int8', '--calibrate', *videos, '--check', *videos[:2]]
    tool.main([*tin, '--out', str(out), *options])
    report = capsys.readouterr().out
    assert f'wrote {small}: ' in report
    assert small.stat().st_size < 0.3 * out.stat().st_size

    exact, model = onnx.load(out), onnx.load(small)
    assert list(exact.metadata_props)[0] in model.metadata_props
    made = {name: node for node in model.graph.node for name in node.output}
    convolutions = [node for node in model.graph.node if node.op_type == 'Conv']
    assert len(convolutions) == sum(x.op_type == 'Conv' for x in exact.graph.node)
    for node in convolutions:
        # Feature map and kernel come from eight bits with constant scales.
        assert {made[name].op_type for name in node.input[:2]} == {'DequantizeLinear'}
    model = init_recognizer(*tin, device='cpu')
    normalise = '--normalise' in options
    val = sorted((data_root / 'val').glob('*.mp4'))
    frames = torch.cat([read_views(model, video, normalise) for video in val])
    scores, found = (FORMATS['onnx'].open(file)(frames) for file in (out, small))
    difference = (found - scores).abs().max() / scores.abs().max()
    assert 0 < difference < 0.1


def test_errors(tool, tin, tmp_path, capsys):
    out = ['--out', str(tmp_path / 'tin.onnx')]
    with pytest.raises(SystemExit):
        tool.main([*tin, *out, '--calibrate', 'a.mp4'])
    assert '--calibrate needs --int8' in capsys.readouterr().err
    with pytest.raises(SystemExit, match='^error: a.mp4 is no file, and no folder of'):
        tool.main([*tin, *out, '--int8', '--calibrate', 'a.mp4'])
    assert not list(tmp_path.iterdir())
