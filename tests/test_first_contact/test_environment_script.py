"""tools/environment.sh in an environment of one's own, and in one of somebody else."""

import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from selection import slow_but

REPOSITORY = Path(__file__).resolve().parents[2]
COPIED = ('mmtemporal', 'configs', 'tools', 'requirements')
FILES = ('setup.cfg', 'pyproject.toml', 'LICENSE', 'README.md', 'model-index.yml')
NOBODY = 65534
(PACKAGES,) = site.getsitepackages()


@pytest.fixture(scope='module')
def sources(tmp_path_factory):
    """A copy of the repository, as installing it writes beside it."""
    copy = tmp_path_factory.mktemp('sources')
    ignored = shutil.ignore_patterns('__pycache__')
    for name in COPIED:
        shutil.copytree(REPOSITORY / name, copy / name, symlinks=True, ignore=ignored)
    for name in FILES:
        shutil.copy(REPOSITORY / name, copy)
    return copy


@pytest.fixture
def environment(tmp_path):
    """A new environment that sees what is installed in the one of the tests."""
    folder = tmp_path / 'environment'
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob('lib/python*/site-packages')
    (packages / 'others.pth').write_text(f'{PACKAGES}\n')
    return folder


def install(module, packages, name=None, version='1.0', content=''):
    """Put a module into an environment, as pip would."""
    (packages / f'{module}.py').write_text(content)
    info = packages / f'{name or module}-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(f'Name: {name or module}\nVersion: {version}\n')


def source(sources, environment, groups='', **environ):
    environ = {
        **{k: v for k, v in os.environ.items() if k != 'PYTHONPATH'},
        'VIRTUAL_ENV': str(environment),
        'PATH': f'{environment}/bin:{os.environ["PATH"]}',
        'MMTEMPORAL_GROUPS': groups,
        **environ,
    }
    script = 'source tools/environment.sh && python -c "import mmtemporal"'
    command = ['bash', '-euo', 'pipefail', '-c', script]
    return subprocess.run(
        command, cwd=sources, env=environ, capture_output=True, text=True
    )


def told(done):
    """The lines of the script itself."""
    start = '[mmtemporal] '
    lines = [line for line in done.stderr.splitlines() if line.startswith(start)]
    return [line.removeprefix(start) for line in lines]


def plan(environment, tmp_path, *groups):
    """Returns the files that pip is to read, in an environment of one's own."""
    python = environment / 'bin/python'
    tool = REPOSITORY / 'tools/environment_plan.py'
    requirements = REPOSITORY / 'requirements'
    command = [python, tool, requirements, tmp_path, REPOSITORY / '.venv', *groups]
    subprocess.run(list(map(str, command)), check=True)
    names = ('pins', 'packages', 'openmmlab', 'missing')
    return {name: (tmp_path / f'{name}.txt').read_text() for name in names}


def test_the_plan_says_what_it_takes():
    tool = REPOSITORY / 'tools/environment_plan.py'
    command = [sys.executable, str(tool), '--help']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 'REQUIREMENTS TARGET OWN_ENVIRONMENT [GROUP ...]' in done.stdout


@pytest.mark.parametrize('name', ['decord', 'decord2', 'eva-decord'])
def test_a_decord_under_any_name_is_kept(environment, tmp_path, name):
    (packages,) = environment.glob('lib/python*/site-packages')
    install('decord', packages, name, version='0.1')
    files = plan(environment, tmp_path)
    assert 'decord' not in files['packages']
    assert 'decord' not in files['missing']


def test_what_is_missing(tmp_path):
    folder = tmp_path / 'bare'
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob('lib/python*/site-packages')
    # What the plan itself is made with, and a version that is too old.
    os.symlink(Path(PACKAGES, 'pip'), packages / 'pip')
    install('numpy', packages, version='1.0')
    files = plan(folder, tmp_path)
    assert 'torch>=2.1' in files['missing']
    assert 'numpy>=1.22' in files['missing']
    assert files['missing'].count('\n') == files['packages'].count('\n') + 3


@pytest.mark.slow
def test_commands_in_turn_install_once(sources, environment):
    for groups, installs in (('', 1), ('', 0), ('export', 1), ('', 0), ('export', 0)):
        done = source(sources, environment, groups)
        assert done.returncode == 0, done.stderr
        # Nothing is large that is there already.
        assert len(done.stderr.splitlines()) < 12
        lines = told(done)
        assert sum('installing the requirements' in line for line in lines) == installs
        assert lines[-1] == 'ready'
    # Another set of requirements is another matter.
    with (sources / 'requirements/tests.txt').open('a') as file:
        file.write('# changed\n')
    lines = told(source(sources, environment))
    assert any('installing the requirements' in line for line in lines)


@pytest.fixture
def foreign(environment):
    """An environment that the user of the tests may read, but not change."""
    paths = [environment, *environment.rglob('*')]
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        yield environment
    else:
        folders = [path for path in paths if path.is_dir() and not path.is_symlink()]
        for path in folders:
            path.chmod(0o555)
        yield environment
        for path in folders:
            path.chmod(0o755)


def contents(folder):
    return sorted(path for path in folder.rglob('*') if '__pycache__' not in path.parts)


def test_an_environment_of_others_is_used_as_it_is(sources, foreign):
    before = contents(foreign)
    done = source(sources, foreign)
    assert done.returncode == 0, done.stderr
    assert any('nothing is installed there' in line for line in told(done))
    assert told(done)[-1] == 'ready'
    assert contents(foreign) == before


def test_what_an_environment_of_others_lacks(sources, foreign):
    (sources / 'requirements/own.txt').write_text('no-such-package-of-mmtemporal>=3\n')
    done = source(sources, foreign, 'own')
    assert done.returncode != 0
    assert 'lacks no-such-package-of-mmtemporal>=3; have' in told(done)[-1]
    assert 'ready' not in told(done)


def test_an_old_python_is_named(sources, environment):
    python = environment / 'bin/python'
    python.unlink()
    python.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n')
    python.chmod(0o755)
    done = source(sources, environment)
    assert done.returncode != 0
    assert told(done)[-1] == (
        'Python 3.9.2 is too old: this needs Python 3.10 or newer'
    )


def test_without_a_network(sources, environment):
    (packages,) = environment.glob('lib/python*/site-packages')
    (packages / 'others.pth').unlink()
    os.symlink(Path(PACKAGES, 'pip'), packages / 'pip')
    nowhere = dict(
        # Nothing listens there.
        PIP_INDEX_URL='http://127.0.0.1:9/simple',
        PIP_CONFIG_FILE=os.devnull,
        PIP_RETRIES='0',
        PIP_FIND_LINKS='',
    )
    done = source(sources, environment, **nowhere)
    assert done.returncode != 0
    assert 'pip reached no package index' in told(done)[-1]
    assert 'conflicting' not in done.stderr


@pytest.mark.parametrize('verbose', ['', '1'])
def test_what_pip_says_of_another_failure(sources, environment, verbose):
    (sources / 'requirements/odd.txt').write_text('mmtemporal-has-no-such-wheel>=3\n')
    options = dict(PIP_NO_INDEX='1', PIP_FIND_LINKS='', MMTEMPORAL_VERBOSE=verbose)
    done = source(sources, environment, 'odd', **options)
    assert done.returncode != 0
    assert ('Requirement already satisfied' in done.stderr) == bool(verbose)
    log = environment / 'mmtemporal-install.log'
    assert (
        f'the installation failed, see above; all that pip did is in {log}'
        == (told(done)[-1])
    )
    assert 'mmtemporal-has-no-such-wheel' in log.read_text()
    assert 'No matching distribution found for mmtemporal-has-no' in done.stderr


@pytest.mark.parametrize('version', slow_but(['2.4.0'], ['1.7.2', '2.4.0']))
def test_an_mmcv_that_mmaction2_refuses_is_not_ready(sources, environment, version):
    (packages,) = environment.glob('lib/python*/site-packages')
    install('mmcv', packages, version=version, content=f'__version__ = "{version}"\n')
    done = source(sources, environment)
    assert done.returncode != 0
    assert 'cannot run MMAction2. AssertionError: MMCV==' in told(done)[-1]
    assert 'Traceback' not in done.stderr
    assert 'ready' not in told(done)
