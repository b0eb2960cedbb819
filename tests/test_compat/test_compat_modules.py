"""Fixes for what goes wrong in imports: needed, effective, inert where not needed."""

import importlib
import inspect
import pkgutil
import sys
import types
import warnings
from importlib.util import find_spec
from pathlib import Path

import mmengine
import pytest
from fresh_process import run_python
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.utils.dl_utils import misc
from selection import slow_but

from mmtemporal.compat import (
    imports,
)


def test_import_is_light():
    done = run_python('-c', 'import sys, mmtemporal; print(*sys.modules)')
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert 'mmtemporal.registry' in loaded
    assert not loaded & {'mmaction.models', 'mmaction', 'mmcv', 'torchvision', 'cv2'}


@pytest.mark.parametrize('missing', ['mmengine', 'mmcv', 'mmaction'])
def test_import_names_the_extras(missing):
    done = run_python(
        '-c', f'import sys; sys.modules["{missing}"] = None\nimport mmtemporal'
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith('ImportError: mmtemporal needs mmengine, mmcv and mmaction2')
    assert f'and {missing} is not installed.' in last
    assert '".[lite]" or ".[full]"' in last
    assert done.stderr.count('Traceback') == 1


@pytest.mark.skipif(
    (Path(find_spec('mmaction').origin).parent / 'models/localizers/drn').exists(),
    reason='this mmaction2 is no wheel, its DRN is complete',
)
def test_models_import_only_with_the_fixes():
    broken = run_python('-c', 'import mmaction.models')
    assert broken.returncode != 0

    build = (
        'import mmtemporal, mmaction.models\n'
        'from mmaction.registry import MODELS\n'
        "MODELS.build(dict(type='DRN', vocab_size=1))\n"
    )
    fixed = run_python('-c', build)
    assert 'ImportError' in fixed.stderr
    assert 'DRN is not available' in fixed.stderr


@pytest.mark.parametrize(
    'files, torchvision, position',
    [(False, False, -1), (False, True, -1), (True, False, 0), (True, True, None)],
)
def test_stub_drn(monkeypatch, tmp_path, files, torchvision, position):
    if files:
        folder = tmp_path / 'models' / 'localizers' / 'drn'
        folder.mkdir(parents=True)
        (folder / 'drn.py').touch()
    specs = {'mmaction': types.SimpleNamespace(origin=str(tmp_path / '__init__.py'))}
    if torchvision:
        specs['torchvision'] = object()
    others = [f for f in sys.meta_path if not isinstance(f, imports._DRNFinder)]
    monkeypatch.setattr(imports, 'find_spec', specs.get)
    monkeypatch.setattr(sys, 'meta_path', list(others))

    acted = imports.stub_drn()

    assert acted is (position is not None)
    if acted:
        assert isinstance(sys.meta_path[position], imports._DRNFinder)
        assert sys.meta_path[position].find_spec('mmaction.models.heads') is None
        assert not imports.stub_drn()
    assert len(sys.meta_path) == len(others) + acted


def test_alias_importlib_metadata(monkeypatch):
    name = 'importlib_metadata'
    monkeypatch.setitem(sys.modules, name, types.ModuleType(name))  # restored after
    monkeypatch.setattr(imports, 'find_spec', lambda name: object())
    assert not imports.alias_importlib_metadata()

    del sys.modules[name]
    monkeypatch.setattr(imports, 'find_spec', lambda name: None)
    assert imports.alias_importlib_metadata()
    from importlib_metadata import PackageNotFoundError, distribution

    assert distribution('mmengine').version == mmengine.__version__
    with pytest.raises(PackageNotFoundError):
        distribution('no-such-distribution')
    monkeypatch.setattr(imports, 'find_spec', find_spec)
    assert not imports.alias_importlib_metadata()


def test_restore_find_loader(monkeypatch):
    # As on Python 3.14.
    monkeypatch.setattr(misc, 'pkgutil', pkgutil)
    monkeypatch.delattr(pkgutil, 'find_loader', raising=False)
    with pytest.raises(AttributeError, match='find_loader'):
        misc.mmcv_full_available()
    assert imports.restore_find_loader()
    assert misc.mmcv_full_available() is (find_spec('mmcv._ext') is not None)
    assert not hasattr(pkgutil, 'find_loader')
    assert not imports.restore_find_loader()


@pytest.fixture
def import_mmaction(monkeypatch):
    """A function that imports mmaction anew beside mmcv and mmengine of a version."""

    def import_beside(package, version):
        monkeypatch.delitem(sys.modules, 'mmaction', raising=False)
        monkeypatch.setattr(f'{package}.__version__', version)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter('always')
            assert importlib.import_module('mmaction').__version__
        return [str(warning.message) for warning in seen]

    return import_beside


@pytest.mark.parametrize('version', ['2.1.0', '2.2.0', '2.3.6'])
def test_allow_newer_mmcv(import_mmaction, version):
    assert find_spec('mmaction')  # a look that does not use the fix up
    messages = import_mmaction('mmcv', version)
    assert [f'mmcv {version} is newer' in text for text in messages] == (
        [True] if version != '2.1.0' else []
    )
    import mmcv

    assert mmcv.__version__ == version


@pytest.mark.parametrize(
    'package, version, told',
    [
        ('mmcv', '1.7.2', 'MMCV==1.7.2 is used'),
        ('mmcv', '2.4.0', 'MMCV==2.4.0 is used'),
        ('mmengine', '1.0.0', 'MMEngine==1.0.0 is used'),
    ],
)
def test_other_versions_are_refused_as_before(import_mmaction, package, version, told):
    with pytest.raises(AssertionError, match=told):
        import_mmaction(package, version)


def test_newer_mmcv_is_refused_without_the_fix(import_mmaction, monkeypatch):
    finders = [
        finder
        for finder in sys.meta_path
        if not isinstance(finder, imports._NewerMMCVFinder)
    ]
    monkeypatch.setattr(sys, 'meta_path', finders)
    with pytest.raises(AssertionError, match='MMCV==2.2.0'):
        import_mmaction('mmcv', '2.2.0')
    # Too late: it is there, or will not come again.
    monkeypatch.setitem(sys.modules, 'mmaction', types.ModuleType('mmaction'))
    assert not imports.allow_newer_mmcv()
    monkeypatch.delitem(sys.modules, 'mmaction')
    assert imports.allow_newer_mmcv()
    assert not imports.allow_newer_mmcv()
    assert import_mmaction('mmcv', '2.2.0')


@pytest.mark.parametrize('timm', slow_but([False], [False, True]))
def test_disable_multimodal_without_timm(tmp_path, timm):
    info = tmp_path / 'transformers-5.0.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Name: transformers\nVersion: 5.0.0\n')
    (tmp_path / 'transformers.py').touch()
    if timm:
        (tmp_path / 'timm.py').touch()
    missing = '' if timm else 'import sys; sys.modules["timm"] = None\n'
    code = (
        f'{missing}import mmtemporal\n'
        'from mmtemporal.compat import disable_multimodal_without_timm\n'
        'from mmaction.utils.dependency import WITH_MULTIMODAL\n'
        'print(WITH_MULTIMODAL, disable_multimodal_without_timm())\n'
    )
    done = run_python('-c', code, path=[tmp_path])
    assert done.stdout.split() == [str(timm), 'False'], done.stderr


def test_add_config_scope(monkeypatch, tmp_path):
    for name in ('_base_/part.py', 'a/metafile.yml'):
        (tmp_path / '.mim' / 'configs' / name).parent.mkdir(parents=True)
    (tmp_path / '.mim/model-index.yml').write_text('Import: []\n')
    (tmp_path / '.mim/configs/_base_/part.py').write_text(
        "size = 7\nmodel = dict(type='ResNet')\n"
    )
    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmtemporal::_base_/part.py'\n")
    monkeypatch.setattr(
        'mmengine.config.config.get_installed_path', lambda name: str(tmp_path)
    )

    monkeypatch.setattr(Config, '_get_cfg_path', inspect.unwrap(Config._get_cfg_path))
    monkeypatch.delitem(MODULE2PACKAGE, 'mmtemporal', raising=False)
    with pytest.raises(AssertionError, match='does not support to load mmtemporal'):
        Config.fromfile(config)
    assert imports.add_config_scope()
    cfg = Config.fromfile(config)
    assert cfg.size == 7
    # Its names without a scope are those of mmaction.
    assert cfg.model == dict(type='ResNet', _scope_='mmaction')
    assert not imports.add_config_scope()
