"""The environments users have: another mmaction2, mmcv or Python, or parts of it."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from selection import slow_but

from mmtemporal import tools
from mmtemporal.datasets import make_motion_clips

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = REPOSITORY / 'configs'
MMACTION = Path(find_spec('mmaction').origin).parent
TANET = next((CONFIGS / 'recognition/tanet').glob('*motionclips*'))


def run_python(*arguments, path=(), **options):
    """Run the interpreter with further folders to import from, before all others."""
    path = os.pathsep.join(map(str, (*path, REPOSITORY)))
    environ = {**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1'}
    command = [sys.executable, '-W', 'ignore::DeprecationWarning', *map(str, arguments)]
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, **options
    )


# ------------------------------------------------- a checkout of MMAction2


@pytest.fixture(scope='module')
def checkout(tmp_path_factory):
    """What a clone of MMAction2 is after ``pip install -e``, without its own files."""
    root = tmp_path_factory.mktemp('mmaction2')
    ignored = shutil.ignore_patterns('.mim', '__pycache__')
    shutil.copytree(MMACTION, root / 'mmaction', ignore=ignored)
    installed = tools.find_tools()['train'].parent
    shutil.copytree(installed, root / 'tools', ignore=ignored)
    (root / 'mmaction2.egg-info').mkdir()
    metadata = 'Metadata-Version: 2.1\nName: mmaction2\nVersion: 1.2.0\n'
    (root / 'mmaction2.egg-info/PKG-INFO').write_text(metadata)
    return root


LOAD = """
import sys
from pathlib import Path
from mmengine import Config

for file in sorted(Path(sys.argv[1]).rglob('*.py')):
    assert Config.fromfile(file), file
import mmaction
print(mmaction.__file__)
"""


def test_all_configs_load_with_a_checkout(checkout):
    done = run_python('-c', LOAD, CONFIGS, path=[checkout])
    assert done.returncode == 0, done.stderr[-2000:]
    assert Path(done.stdout.split()[-1]) == checkout / 'mmaction/__init__.py'


@pytest.mark.slow
def test_tools_of_a_checkout(checkout, tmp_path):
    make_motion_clips(tmp_path / 'data/motion_clips', 16, 8)
    few = (
        *('--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.num_workers=0'),
        *('train_dataloader.persistent_workers=False', 'val_dataloader.num_workers=0'),
        *('val_dataloader.persistent_workers=False', 'param_scheduler.1.end=2'),
    )
    run = dict(path=[checkout], cwd=tmp_path)
    done = run_python(
        checkout / 'tools/train.py', TANET, '--work-dir', 'wd', *few, **run
    )
    assert done.returncode == 0, done.stderr[-2000:]
    weights = tmp_path / 'wd/epoch_1.pth'
    done = run_python(checkout / 'tools/test.py', TANET, weights, **run)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'acc/top1' in done.stdout


# ------------------------------------------------- what mim starts


@pytest.mark.parametrize('tool', slow_but(['train'], ['train', 'test']))
def test_scripts_that_mim_starts(tool, tmp_path):
    """``mim train`` and ``mim test`` first ask them for their options."""
    script = REPOSITORY / f'mmtemporal/.mim/tools/{tool}.py'
    done = run_python(script, '-h', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f'usage: {tool}.py' in done.stdout
    assert '--cfg-options' in done.stdout
