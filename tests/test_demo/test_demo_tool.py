"""What the demo refuses on its command line, and where it listens."""

import runpy
import socket
from pathlib import Path

import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine import Config
from parity import CONFIGS
from stock_config import build_small, small_config

from mmtemporal.demo import server

TOOL = Path(__file__).parents[2] / 'tools' / 'demo.py'


@pytest.fixture
def demo(monkeypatch, clips, tmp_path):
    """Runs the tool until it would serve; returns what it would."""
    network = tmp_path / 'network'
    network.mkdir()
    small_config('TIN', clips).dump(network / 'config.py')
    model = build_small('TIN', clips)
    torch.save(dict(state_dict=model.state_dict()), network / 'model.pth')
    monkeypatch.setattr(server, 'find_spec', lambda name: name)
    served = []
    monkeypatch.setattr(server, 'serve', lambda *args: served.append(args))

    def run(*options, config=network / 'config.py', checkpoint=network / 'model.pth'):
        main = runpy.run_path(str(TOOL))['main']
        main([str(x) for x in (config, checkpoint, '--port', 0, *options)])
        return served[-1]

    yield run
    for listener, _ in served:
        listener.close()
    (network / 'model.pth').unlink()


def test_it_listens_to_this_machine_alone(demo, clips):
    listener, _ = demo('--examples', clips / 'val')
    assert listener.getsockname()[0] == '127.0.0.1'
    port = listener.getsockname()[1]
    with pytest.raises(SystemExit, match=f'--port {port}: .*give another one'):
        demo('--port', port)


def test_a_browser_may_come_before_the_page_is_ready(demo):
    listener, _ = demo()
    socket.create_connection(listener.getsockname()).close()


@pytest.mark.parametrize('option', ['--share', '--host', '--server-name'])
def test_there_is_no_way_to_share_it(demo, capsys, option):
    with pytest.raises(SystemExit) as caught:
        demo(option)
    assert caught.value.code == 2
    assert f'unrecognized arguments: {option}' in capsys.readouterr().err


def test_errors(demo, clips, tmp_path):
    (tmp_path / 'noise.pth').write_bytes(b'noise')
    (tmp_path / 'names').write_text('a\nb')
    other = clips / 'other.pth'
    torch.save(dict(state_dict=build_small('TANet', clips).state_dict()), other)
    localizer = next(CONFIGS.glob('localization/bmn/*.py'))
    model = init_recognizer(Config.fromfile(localizer), device='cpu')
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'bmn.pth')
    for match, options, files in (
        ('nothing is no folder', ['--examples', tmp_path / 'nothing'], {}),
        ('has no videos; expected files ending', ['--examples', clips], {}),
        ('missing.pth is no file', [], dict(checkpoint=tmp_path / 'missing.pth')),
        ('damaged or no checkpoint', [], dict(checkpoint=tmp_path / 'noise.pth')),
        ('does not fit the model', [], dict(checkpoint=other)),
        ('cannot build the model', [], dict(config=tmp_path / 'missing.py')),
        ('names has 2 lines', ['--label-map', tmp_path / 'names'], {}),
        ('no layer backbone.layer9', ['--cam-layer', 'backbone.layer9'], {}),
        ('--port 99999', ['--port', 99999], {}),
        (
            'type=BMN without a cls_head, expected the config of a recognizer',
            [],
            dict(config=localizer, checkpoint=tmp_path / 'bmn.pth'),
        ),
    ):
        with pytest.raises(SystemExit, match=match) as caught:
            demo(*options, **files)
        assert str(caught.value).startswith('error: ')
        assert '\n' not in str(caught.value)
    other.unlink()


def test_without_gradio(demo, monkeypatch):
    monkeypatch.setattr(server, 'find_spec', lambda name: None)
    with pytest.raises(SystemExit, match=r'pip install "mmtemporal\[demo\]"'):
        demo()
