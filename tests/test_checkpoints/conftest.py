"""What the tests of checkpoints share."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from convert_tool import TINY
from mmengine.logging import MMLogger
from published import build, make_checkpoint, write_config


@pytest.fixture
def src(tmp_path):
    torch.save(dict(state_dict=TINY), tmp_path / 'src.pth')
    return tmp_path / 'src.pth'


@pytest.fixture
def dst(tmp_path):
    return tmp_path / 'dst.pth'


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    return write_config(tmp_path_factory.mktemp('config'))


@pytest.fixture(scope='module')
def source(config, tmp_path_factory):
    file = tmp_path_factory.mktemp('source') / 'epoch_10.pth'
    torch.save(make_checkpoint(build(config), dict(classes=('a', np.int64(2)))), file)
    return file


@pytest.fixture
def log(caplog):
    """What mmengine's logger gets."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


@pytest.fixture
def url(tmp_path, monkeypatch):
    """The address of ``tmp_path``, and a folder of its own for what is downloaded."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    monkeypatch.setattr(SimpleHTTPRequestHandler, 'log_message', lambda *args: None)
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()
