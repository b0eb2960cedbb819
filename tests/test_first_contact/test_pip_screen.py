"""What is shown of pip: from a server of this machine, in a pipe and on a terminal."""

import os
import subprocess
import sys
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'pip_screen.py'
BAR = '━'


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def make_wheel(folder, name, size, needs=()):
    folder.mkdir(parents=True)
    info = f'{name}-1.0.dist-info'
    metadata = ['Metadata-Version: 2.1', f'Name: {name}', 'Version: 1.0']
    metadata += [f'Requires-Dist: {need}' for need in needs]
    with zipfile.ZipFile(folder / f'{name}-1.0-py3-none-any.whl', 'w') as wheel:
        wheel.writestr(f'{name}/data', os.urandom(size))
        wheel.writestr(f'{info}/METADATA', '\n'.join(metadata))
        wheel.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\nTag: py3-none-any\n')
        wheel.writestr(f'{info}/RECORD', '')


@pytest.fixture(scope='module')
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp('index')
    make_wheel(folder / 'large-wheel', 'large_wheel', 12_000_000, ['small-wheel'])
    make_wheel(folder / 'small-wheel', 'small_wheel', 2_000_000)
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    server.server_close()


def install(index, target, *options, **environ):
    pip = [sys.executable, '-m', 'pip', 'install', '--no-cache-dir', '--target', target]
    pip += ['--disable-pip-version-check', '-i', index, *options, 'large-wheel']
    environ = dict(
        os.environ, PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS='', COLUMNS='80'
    ) | dict(environ)
    shown = subprocess.run(
        ['bash', '-o', 'pipefail', '-c', '"${@:2}" | "$0" "$1"', sys.executable, TOOL]
        + list(map(str, pip)),
        env=environ,
        capture_output=True,
        text=True,
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def test_in_a_pipe_there_is_a_line_a_large_download(index, tmp_path):
    shown = install(index, tmp_path, '--progress-bar', 'off')
    assert shown.splitlines() == [
        '  downloading large_wheel-1.0-py3-none-any.whl (12.0 MB)',
        '  installing 2 packages',
    ]
    assert (tmp_path / 'large_wheel/data').stat().st_size == 12_000_000


def test_on_a_terminal_there_is_a_bar_under_it(index, tmp_path):
    # As tools/environment.sh makes pip draw them.
    shown = install(index, tmp_path, FORCE_COLOR='1')
    assert '(12.0 MB)\n' in shown and '12.0/12.0 MB' in shown
    assert BAR in shown and '2.0/2.0 MB' not in shown
    for noise in ('Collecting', 'Looking in indexes', 'small_wheel'):
        assert noise not in shown
    # The cursor, which a bar hides, is shown again.
    assert shown.rindex('\x1b[?25h') > shown.rindex('\x1b[?25l')
