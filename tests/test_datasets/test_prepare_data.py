"""The tool that prepares public data sets."""

import importlib.util
import sys
from pathlib import Path

import pytest
from small_utd_mhad import FEW, contents

TOOL = Path(__file__).parents[2] / 'tools' / 'prepare_data.py'


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location('prepare_data_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


@pytest.fixture
def run_tool(tool, monkeypatch):
    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', [TOOL.name, *map(str, arguments)])
        tool.main()

    return run


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


def test_interruption_is_one_line(tool, run_tool, monkeypatch, capsys, tmp_path):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(tool, 'prepare_utd_mhad', interrupt)
    with pytest.raises(SystemExit) as error:
        run_tool('utd_mhad', tmp_path, tmp_path / 'new')
    assert error.value.code == 130
    assert capsys.readouterr().err == '\nstopped; the same command goes on\n'


@pytest.mark.parametrize('arguments', [(), ('kinetics', 'a', 'b'), ('utd_mhad', 'a')])
def test_command_lines_that_are_refused(run_tool, arguments, capsys):
    with pytest.raises(SystemExit) as error:
        run_tool(*arguments)
    assert error.value.code == 2
    assert 'usage: prepare_data.py' in capsys.readouterr().err
