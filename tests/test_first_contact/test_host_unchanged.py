"""Importing the package changes nothing in its hosts but what is listed here.

``docs/patches_and_hooks.md`` has the same list for readers.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name('host_changes.py')
PAGE = ROOT / 'docs/patches_and_hooks.md'
# Why each may be.
PREFIXES = 'configs are found by the prefix mmtemporal::'
CPU = 'does not run without an accelerator'
HALF = 'numpy has no bfloat16, so that mixed precision fails'
ALLOWED = {
    'mmaction.datasets.transforms.processing.ColorJitter.adjust_hue': 'numpy 2 wraps',
    'mmaction.evaluation.functional.accuracy.np': 'numpy 2.4 has no trapz',
    'mmaction.models.heads.base.BaseHead.loss_by_feat': HALF,
    'mmaction.models.heads.omni_head.OmniHead.loss_by_feat': HALF,
    'mmaction.models.heads.rgbpose_head.RGBPoseHead.loss_by_feat': HALF,
    'mmengine.config.config.Config._get_cfg_path': PREFIXES,
    'mmengine.config.utils.MODULE2PACKAGE': PREFIXES,
    'mmengine.config.utils.PKG2PROJECT': PREFIXES,
    'mmengine.infer.infer.MODULE2PACKAGE': PREFIXES,
    'mmengine.registry.registry.MODULE2PACKAGE': PREFIXES,
    'mmengine.dist.utils._init_dist_pytorch': CPU,
    'mmengine.model.wrappers.distributed.MMDistributedDataParallel.__init__': CPU,
    'mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available': CPU,
    'mmengine.utils.dl_utils.misc.pkgutil': 'Python 3.14 has no find_loader',
    'mmengine.runner.checkpoint.CheckpointLoader._schemes': "authors' files are read",
    'mmengine.runner.checkpoint.load_url': 'it would run programs in files',
}


def run(code, **kwargs):
    environ = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        [sys.executable, *code], env=environ, capture_output=True, text=True, **kwargs
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# What hooks and transforms are in, which the registry imports when a config names one.
MODULES = (
    *('mmtemporal.engine', 'mmtemporal.datasets', 'mmtemporal.datasets.annotations'),
    'mmtemporal.datasets.transforms',
)
NAMED = ('mmtemporal.engine:CheckAnnotationsHook',)
# These say which line of a list cannot be read, which happens ahead of any hook.
NAMED_ALLOWED = {
    'mmaction.datasets.video_dataset.VideoDataset.load_data_list',
    'mmaction.datasets.rawframe_dataset.RawframeDataset.load_data_list',
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ('named', 'more'),
    [(MODULES, set()), (NAMED, NAMED_ALLOWED)],
    ids=['modules', 'hook'],
)
def test_only_what_is_listed_is_changed(named, more):
    changed = set(run([SCRIPT, 'mmtemporal', 'mmtemporal.models', *named]))
    assert changed - ALLOWED.keys() == more
    # Or the script would see nothing.
    assert 'mmaction.models.heads.base.BaseHead.loss_by_feat' in changed


@pytest.mark.parametrize('name', ALLOWED)
def test_the_page_has_it(name):
    page = PAGE.read_text()
    owner, attribute = name.split('.')[-2:]
    assert f'{attribute}`' in page or f'`{attribute}' in page
    assert owner in page or attribute == 'MODULE2PACKAGE'


FILES = """
import os, stat, threading
import mmtemporal
from mmengine.fileio import dump, put_text
open('real.json', 'w').write('old')
os.symlink('real.json', 'link.json')
dump({'a': 1}, 'link.json')
print(os.path.islink('link.json'), open('real.json').read())
os.chmod('real.json', 0o664)
dump({'a': 2}, 'real.json')
print(oct(os.stat('real.json').st_mode & 0o777))
open('h1', 'w').write('x')
os.link('h1', 'h2')
put_text('new', 'h1')
print(open('h2').read())
os.mkfifo('pipe')
reader = threading.Thread(target=lambda: print(open('pipe').read()), daemon=True)
reader.start()
put_text('through the pipe', 'pipe')
reader.join(5)
put_text('x', 'n' * 253)
"""


def test_files_are_written_as_without_the_package(tmp_path):
    lines = ['True {"a": 1}', '0o664', 'new', 'through the pipe']
    assert run(['-c', FILES], cwd=tmp_path) == lines


ERRORS = """
import mmtemporal
from mmaction.datasets import VideoDataset

def fail(results):
    raise ImportError('please install the library')

open('list.txt', 'w').write('a.mp4 0')
try:
    VideoDataset('list.txt', [fail])[0]
except ImportError as error:
    print(error)
"""


def test_errors_of_a_pipeline_keep_their_type(tmp_path):
    assert run(['-c', ERRORS], cwd=tmp_path)[-1:] == ['please install the library']
