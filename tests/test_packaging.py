"""What a wheel contains, and that the files in it are found."""

import configparser
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import torch
import yaml
from backbone_libraries import hidden
from mmaction.registry import MODELS
from mmaction.utils import register_all_modules
from mmengine import Config
from selection import slow_but

import mmtemporal
from mmtemporal.datasets import make_motion_clips

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = ('mmtemporal', 'configs', 'tools', 'requirements')
FILES = ('setup.cfg', 'pyproject.toml', 'LICENSE', 'README.md', 'model-index.yml')
# What sets up an environment for a checkout, and the scripts that do so.
OF_A_CHECKOUT = {
    'environment.sh',
    'environment_plan.py',
    'pip_screen.py',
    'quickstart.sh',
    'run_tests.sh',
}
TOOLS = {path.name for path in (REPOSITORY / 'tools').iterdir() if path.is_file()}
SHIPPED = sorted(TOOLS - OF_A_CHECKOUT)


def run_python(*arguments, **options):
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """A wheel of a copy of the sources, with one more config deep inside."""
    copy = tmp_path_factory.mktemp('sources')
    for name in FOLDERS:
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(REPOSITORY / name, copy / name, symlinks=True, ignore=ignored)
    for name in FILES:
        if (REPOSITORY / name).exists():
            shutil.copy(REPOSITORY / name, copy)
    (copy / 'model-index.yml').write_text('Import: []\n')
    deep = copy / 'configs' / 'probe' / 'deep'
    (deep / '__pycache__').mkdir(parents=True)
    for name in ('a.py', 'metafile.yml', 'README.md', '__pycache__/a.pyc'):
        (deep / name).touch()
    (deep / 'base.py').write_text('size = 7\n')

    target = tmp_path_factory.mktemp('wheel')
    options = ['--no-deps', '--no-build-isolation', '--no-index', '--quiet']
    run_python('-m', 'pip', 'wheel', *options, '--wheel-dir', target, copy)
    (file,) = target.iterdir()
    return zipfile.ZipFile(file)


def test_files(wheel):
    names = set(wheel.namelist())
    for name in ('a.py', 'metafile.yml', 'README.md'):
        assert f'mmtemporal/.mim/configs/probe/deep/{name}' in names
    assert {'train.py', 'test.py'} < set(SHIPPED)
    assert 'mmtemporal/.mim/model-index.yml' in names
    assert 'mmtemporal/compat/imports.py' in names
    assert 'mmtemporal/py.typed' in names
    assert 'mmtemporal/quickstart/page.html' in names
    assert not [name for name in names if '__pycache__' in name]
    assert {name.split('/')[0] for name in names} == {
        'mmtemporal',
        f'mmtemporal-{mmtemporal.__version__}.dist-info',
    }


def test_nothing_is_left_out(wheel):
    """No file of configs/ has an ending that setup.cfg does not list."""
    names = set(wheel.namelist())
    for file in (REPOSITORY / 'configs').rglob('*'):
        if file.is_file() and '__pycache__' not in file.parts:
            inside = file.relative_to(REPOSITORY).as_posix()
            assert f'mmtemporal/.mim/{inside}' in names


def test_tools_but_those_of_a_checkout(wheel):
    folder = 'mmtemporal/.mim/tools/'
    names = [name for name in wheel.namelist() if name.startswith(folder)]
    assert sorted(name.removeprefix(folder) for name in names) == SHIPPED


@pytest.fixture(scope='module')
def packages(wheel, tmp_path_factory):
    """An environment with the wheel, and without the sources; its site-packages."""
    environment = tmp_path_factory.mktemp('environment')
    venv.create(environment, with_pip=False, symlinks=True)
    (packages,) = environment.glob('lib/python*/site-packages')
    wheel.extractall(packages)
    # Links in these folders, such as that of an editable installation, are not read.
    with hidden():
        others = [path for path in sys.path if path.endswith('-packages')]
    (packages / 'others.pth').write_text('\n'.join(others))
    return packages


def run_tool(packages, tool, *arguments, **options):
    python = packages.parents[2] / 'bin' / 'python'
    command = [python, '-W', 'ignore', packages / 'mmtemporal/.mim/tools' / tool]
    environ = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    options = dict(capture_output=True, text=True, env=environ, **options)
    done = subprocess.run([*command, *arguments], **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize('tool', slow_but(['train.py'], SHIPPED))
def test_tools_of_a_wheel_answer(packages, tmp_path, tool):
    assert f'usage: {tool}' in run_tool(packages, tool, '--help', cwd=tmp_path)


@pytest.mark.slow
def test_tools_of_a_wheel_work(packages, tmp_path):
    """In an empty folder, with a config of the wheel."""
    clips = ('make_motion_clips.py', 'clips', '--train=16', '--val=8')
    run_tool(packages, *clips, cwd=tmp_path)
    assert len(list((tmp_path / 'clips').rglob('*.mp4'))) == 24
    configs = packages / 'mmtemporal/.mim/configs/recognition/tin'
    (config,) = configs.glob('*motionclips*')
    register_all_modules()
    state_dict = MODELS.build(Config.fromfile(config).model).state_dict()
    torch.save(dict(state_dict=state_dict), tmp_path / 'a.pth')
    convert = ('convert_checkpoint.py', 'a.pth', 'b.pth', '--config', config)
    run_tool(packages, *convert, cwd=tmp_path)
    converted = torch.load(tmp_path / 'b.pth')['state_dict']
    assert converted.keys() == state_dict.keys()


def test_metadata(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith('/METADATA')]
    metadata = Parser().parsestr(wheel.read(name).decode())
    assert metadata['Name'] == 'mmtemporal'
    assert metadata['Version'] == mmtemporal.__version__
    assert metadata['License-Expression'] == 'Apache-2.0'
    assert metadata['License-File'] == 'LICENSE'
    assert metadata['Requires-Python'] == '>=3.10'
    extras = {'lite', 'full', 'wrapped-backbones', 'tests', 'export', 'docs', 'demo'}
    extras |= {'pyav', 'tensorboard'}
    assert set(metadata.get_all('Provides-Extra')) == extras
    requirements = metadata.get_all('Requires-Dist')
    always = [line for line in requirements if 'extra ==' not in line]
    assert sorted(line.split('<')[0].split('>')[0] for line in always) == [
        'decord',
        'mmaction2',
        'setuptools',
    ]
    assert any(line.startswith('ruff==') for line in requirements)


@pytest.mark.parametrize('installed', slow_but([True], [True, False]))
def test_configs_of_the_package_are_found(wheel, tmp_path, installed):
    """As the base of another config: in a wheel, and without any metadata."""
    wheel.extractall(tmp_path / 'site')
    if not installed:
        (info,) = (tmp_path / 'site').glob('*.dist-info')
        shutil.rmtree(info)
    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmtemporal::probe/deep/base.py'\n")
    out = run_python(
        *('-W', 'ignore', '-m', 'mmtemporal.tools', 'print_config', config),
        env={**os.environ, 'PYTHONPATH': str(tmp_path / 'site')},
        cwd=tmp_path,
    )
    assert 'size = 7' in out


TRAIN_FROM_THE_WHEEL = """
_base_ = 'mmtemporal::recognition/tanet/{}'
train_cfg = dict(max_epochs=1)
train_dataloader = dict(num_workers=0, persistent_workers=False)
val_dataloader = train_dataloader
model = dict(
    backbone={{{{_base_.model.backbone}}}},
    # A part that the base does not have.
    cls_head=dict(loss_cls=dict(type='CrossEntropyLoss', loss_weight=2.0)),
)
param_scheduler = []
"""


@pytest.mark.slow
def test_a_config_of_the_package_is_a_base(wheel, tmp_path):
    """Names without a scope in it mean what they mean in the config itself."""
    wheel.extractall(tmp_path / 'site')
    make_motion_clips(tmp_path / 'data/motion_clips', 16, 8)
    (base,) = (REPOSITORY / 'configs/recognition/tanet').glob('*motionclips*')
    config = tmp_path / 'config.py'
    config.write_text(TRAIN_FROM_THE_WHEEL.format(base.name))
    out = run_python(
        *('-W', 'ignore', '-m', 'mmtemporal.tools', 'train', config),
        env={**os.environ, 'PYTHONPATH': str(tmp_path / 'site')},
        cwd=tmp_path,
    )
    assert 'acc/top1' in out


def test_links_of_a_checkout():
    for name in ('configs', 'tools', 'model-index.yml'):
        link = REPOSITORY / 'mmtemporal' / '.mim' / name
        assert link.resolve() == REPOSITORY / name
        assert not Path(os.readlink(link)).is_absolute()


def test_model_index():
    index = yaml.safe_load((REPOSITORY / 'model-index.yml').read_text())
    missing = [name for name in index['Import'] if not (REPOSITORY / name).is_file()]
    assert not missing


def test_metafiles_have_the_forms_that_mim_reads():
    """It joins lists of texts, and dies of anything else."""
    files = yaml.safe_load((REPOSITORY / 'model-index.yml').read_text())['Import']
    for file in files:
        content = yaml.safe_load((REPOSITORY / file).read_text())
        for collection in content['Collections']:
            paper = collection['Paper']
            papers = [paper] if isinstance(paper, str) else paper
            assert all(isinstance(paper, str) for paper in papers), file
        for model in content['Models']:
            assert isinstance(model['Config'], str)
            assert isinstance(model.get('Weights', ''), str), model['Name']


def test_version_needs_no_import():
    """The build reads the version without the packages the project depends on."""
    config = configparser.ConfigParser()
    config.read(REPOSITORY / 'setup.cfg')
    assert config['metadata']['version'] == 'attr: mmtemporal.version.__version__'
    version = {}
    exec((REPOSITORY / 'mmtemporal' / 'version.py').read_text(), version)
    assert version['__version__'] == mmtemporal.__version__


def test_requirements_agree():
    """Each OpenMMLab range stands in the metadata and in the list for pip."""
    config = configparser.ConfigParser()
    config.read(REPOSITORY / 'setup.cfg')
    stated = config['options']['install_requires'].split()
    stated += config['options.extras_require']['lite'].split()
    for name in ('openmmlab', 'runtime'):
        lines = (REPOSITORY / 'requirements' / f'{name}.txt').read_text().splitlines()
        for line in lines:
            if line.startswith(('mm', 'setuptools')):
                assert line in stated
