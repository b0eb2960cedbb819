"""The launcher of the stock tools."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.logging import MessageHub

from mmtemporal import tools

REPOSITORY = Path(__file__).resolve().parents[1]


def launch(*arguments, launcher=('-m',), cwd=None):
    environ = {**os.environ, 'PYTHONPATH': str(REPOSITORY), 'OMP_NUM_THREADS': '1'}
    command = [sys.executable, *launcher, 'mmtemporal.tools', *map(str, arguments)]
    return subprocess.run(command, env=environ, cwd=cwd, capture_output=True, text=True)


@pytest.fixture
def stock(monkeypatch, tmp_path):
    """A stand-in for the tools of mmaction2, which report how they were run."""
    for name in ('train', 'data/gym/download', 'data/hvu/download', 'data/train'):
        file = tmp_path / f'{name}.py'
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('import sys\nprint(__name__, sys.argv)\n')
    files = {
        file.relative_to(tmp_path).with_suffix('').as_posix(): file
        for file in sorted(tmp_path.rglob('*.py'))
    }
    monkeypatch.setattr(tools, 'find_tools', lambda: files)
    monkeypatch.setattr(sys, 'argv', list(sys.argv))
    return files


def test_find_tools():
    found = tools.find_tools()
    assert {'train', 'test', 'analysis_tools/get_flops'} <= set(found)
    assert all(file.is_file() for file in found.values())


def test_find_tools_in_a_checkout(monkeypatch, tmp_path):
    (tmp_path / 'tools' / 'misc').mkdir(parents=True)
    (tmp_path / 'tools' / 'misc' / 'one.py').touch()
    (tmp_path / 'mmaction').mkdir()
    (tmp_path / 'mmaction' / '__init__.py').touch()
    monkeypatch.delitem(sys.modules, 'mmaction', raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert tools.find_tools() == {'misc/one': tmp_path / 'tools/misc/one.py'}


@pytest.mark.parametrize(
    'name, tool',
    [
        ('train', 'train'),
        ('train.py', 'train'),
        ('data/train', 'data/train'),
        ('gym/download', 'data/gym/download'),
    ],
)
def test_names(stock, capsys, name, tool):
    assert tools.main([name, '--flag', 'a b']) == 0
    expected = f'__main__ {[str(stock[tool]), "--flag", "a b"]}\n'
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize('arguments', [[], ['rain'], ['download'], ['ata/train']])
def test_bad_names(stock, capsys, arguments):
    assert tools.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ''
    assert 'data/gym/download' in err and 'data/hvu/download' in err
    # Of an ambiguous name only the candidates are listed.
    assert ('data/train' in err) is (arguments != ['download'])


def test_help(stock, capsys):
    assert tools.main(['--help']) == 0
    assert 'data/gym/download' in capsys.readouterr().out


def test_exit_code_of_the_process():
    done = launch('no_such_tool')
    assert done.returncode == 2
    assert 'get_flops' in done.stderr


def test_usage_names_the_tool():
    done = launch('print_config')
    assert done.returncode == 2
    assert 'usage: print_config.py' in done.stderr


def test_publish_model(tmp_path):
    hub = MessageHub('test_tools')
    hub.update_scalar('train/loss', 2.0)
    weights = dict(weight=torch.ones(2))
    checkpoint = dict(
        meta={}, state_dict=weights, message_hub=hub.state_dict(), optimizer={}
    )
    torch.save(checkpoint, tmp_path / 'epoch_1.pth')

    done = launch('publish_model', 'epoch_1.pth', 'published.pth', cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    (published,) = tmp_path.glob('published_*.pth')
    assert torch.load(published)['state_dict']['weight'].tolist() == [1, 1]


@pytest.mark.slow
def test_below_torchrun(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text('answer = 42\n')
    torchrun = ('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2')
    done = launch('print_config', config, launcher=(*torchrun, '-m'))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('answer = 42') == 2
