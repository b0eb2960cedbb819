"""The page in a browser, and what its server does on the network."""

import http.client
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from stock_config import build_small, small_config
from test_demo_results import write_bad_files

from mmtemporal.datasets import CLASS_NAMES

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
# In milliseconds, on a machine that is busy.
PATIENCE = 120_000
# Writes down where the process connects, what names it looks up, and where it listens.
WATCH = """
import os, sys
def watch(event, args):
    if event in ('socket.connect', 'socket.bind') and isinstance(args[1], tuple):
        note(event, args[1][0])
    elif event in ('socket.getaddrinfo', 'socket.gethostbyname'):
        note(event, args[0])
def note(*words):
    with open(os.environ['WATCHED'], 'a') as file:
        print(*words, file=file)
sys.addaudithook(watch)
"""
# What gives gradio other ideas where its own launch() is used.
TEMPTING = dict(
    GRADIO_SHARE='True',
    GRADIO_SERVER_NAME='0.0.0.0',
    GRADIO_ANALYTICS_ENABLED='True',
    http_proxy='http://192.0.2.1:9',
    https_proxy='http://192.0.2.1:9',
)


@pytest.fixture(scope='module')
def launch(clips, tmp_path_factory):
    """Starts the demo of a small network once; stops it, and looks what it did."""
    if find_spec('gradio') is None:
        reason = 'gradio is missing: pip install -r requirements/demo.txt'
        (pytest.fail if os.environ.get('CI') else pytest.skip)(reason)
    started = {}

    def start(name):
        if name not in started:
            started[name] = _start(name, clips, tmp_path_factory.mktemp(name))
        return started[name].url

    yield start
    for demo in started.values():
        demo.process.send_signal(signal.SIGTERM)
        assert demo.process.wait(60) == 0
        # Nothing is left, neither of uploads nor where it was started.
        assert not list((demo.folder / 'temporary').rglob('*'))
        assert not list((demo.folder / 'started_here').rglob('*'))
        watched = {*(demo.folder / 'watched').read_text().split('\n')} - {''}
        assert watched <= {
            'socket.bind 127.0.0.1',
            'socket.connect 127.0.0.1',
            'socket.getaddrinfo 127.0.0.1',
        }, watched
        assert 'socket.bind 127.0.0.1' in watched


def _start(name, clips, folder):
    for part in ('temporary', 'started_here', 'watch'):
        (folder / part).mkdir()
    (folder / 'watch' / 'sitecustomize.py').write_text(WATCH)
    small_config(name, clips).dump(folder / 'config.py')
    state_dict = build_small(name, clips).state_dict()
    torch.save(dict(state_dict=state_dict), folder / 'model.pth')
    (folder / 'names').write_text('\n'.join(CLASS_NAMES))
    environ = {
        **os.environ,
        **TEMPTING,
        'PYTHONPATH': os.pathsep.join(
            [str(folder / 'watch'), str(ROOT), os.environ.get('PYTHONPATH', '')]
        ),
        'OMP_NUM_THREADS': '1',
        'TMPDIR': str(folder / 'temporary'),
        'MPLCONFIGDIR': str(folder),
        'WATCHED': str(folder / 'watched'),
    }
    command = [sys.executable, ROOT / 'tools/demo.py']
    command += [folder / 'config.py', folder / 'model.pth', '--port=0']
    command += [f'--label-map={folder}/names']
    if name == 'TANet':  # the other one has none
        command += [f'--examples={clips}/val']
    with open(folder / 'errors', 'w') as errors:
        process = subprocess.Popen(
            command,
            cwd=folder / 'started_here',
            env=environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    words = process.stdout.readline().split()
    assert words[:1] == ['Open'], (folder / 'errors').read_text()[-3000:]
    return SimpleNamespace(process=process, url=words[1], folder=folder)


@pytest.fixture
def opened(page, problems):
    """Opens a page of the demo."""
    page.set_default_timeout(PATIENCE)

    def open_at(url):
        page.goto(url)
        page.locator('input[type=file]').wait_for(state='attached')
        return page

    yield open_at
    # gradio closes these streams when it has seen enough.
    streams = ('/gradio_api/queue/data', '/gradio_api/upload_progress')
    problems[:] = [p for p in problems if not any(stream in p for stream in streams)]


def check_width(page, width):
    """Check that the page fills the window, and no more."""
    page.set_viewport_size(dict(width=width, height=844))
    assert page.evaluate('document.documentElement.scrollWidth') == width
    assert page.locator('.mmt').first.bounding_box()['width'] > 0.75 * width


def upload(page, file):
    page.locator('input[type=file]').set_input_files(file)


def remove(page):
    page.get_by_label('Remove this file').or_(page.get_by_label('Clear')).first.click()
    page.locator('input[type=file]').wait_for(state='attached')


def check_pictures(page):
    """Wait for all pictures, and check that the browser shows them."""
    page.locator('.mmt-all img').first.wait_for()
    sizes = page.locator('.mmt img').evaluate_all(
        'images => images.map(image => [image.complete, image.naturalWidth])'
    )
    assert all(complete and width > 100 for complete, width in sizes)
    return len(sizes)


@pytest.mark.parametrize('name', ['TANet', 'TDN'])
def test_scores_pictures_and_times(name, launch, opened, video):
    page = opened(launch(name))
    check_width(page, 1280)
    upload(page, video)
    page.locator('.mmt-time').wait_for()
    bars = page.locator('.mmt-bar').all_inner_texts()
    assert len(bars) == 5
    assert {bar.split('\n')[0] for bar in bars} <= set(CLASS_NAMES)
    assert 'Decoding: ' in page.locator('.mmt-time').inner_text()
    # The frames, Grad-CAM, and what the layers do.
    assert check_pictures(page) >= 4
    assert page.get_by_text('Which frames are mixed').is_visible()
    check_width(page, 390)


def test_examples(launch, opened, clips):
    page = opened(launch('TANet'))
    page.get_by_text('000003.mp4').click()
    page.get_by_role('heading', name='000003.mp4').wait_for()
    assert check_pictures(page) >= 4


def test_bad_files_and_on(launch, opened, video, tmp_path):
    page = opened(launch('TANet'))
    for name in write_bad_files(video, tmp_path):
        upload(page, tmp_path / name)
        box = page.get_by_role('alert').filter(has_text=name)
        box.wait_for()
        text = box.inner_text()
        assert text.startswith(f'cannot read {name} by the test_pipeline')
        assert '/' not in text.replace('/github/', '')
        remove(page)
    upload(page, video)
    page.locator('.mmt-time').wait_for()
    assert check_pictures(page) >= 4
    assert page.get_by_role('alert').count() == 0


def ask(url, host):
    connection = http.client.HTTPConnection(url.removeprefix('http://'), timeout=60)
    connection.request('GET', '/', headers=dict(Host=host))
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response, text


def test_other_names_of_this_machine_are_refused(launch):
    """A page of the Web whose name was made to lead here gets nothing."""
    url = launch('TANet')
    assert ask(url, 'evil.example')[0].status == 400
    response, text = ask(url, 'localhost')
    assert response.status == 200 and 'gradio' in text
    assert "default-src 'self'" in response.headers['Content-Security-Policy']
