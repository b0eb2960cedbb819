"""The fixes for released versions: needed, effective, and inert where not needed."""

import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
import types
import warnings
from importlib.util import find_spec
from pathlib import Path

import mmengine
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import AmpOptimWrapper, OneCycleLR
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.utils.dl_utils import misc

from mmtemporal.compat import (
    amp,
    checkpoints,
    distributed,
    evaluation,
    imports,
    on_import,
)

REPOSITORY = Path(__file__).resolve().parents[1]
cpu_only = pytest.mark.skipif(
    torch.cuda.is_available(), reason='the fix acts only without an accelerator'
)


def run_python(*arguments, path=(), **environ):
    """Run the interpreter in a fresh process that sees this package."""
    path = os.pathsep.join([*map(str, path), str(REPOSITORY)])
    environ = {**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1', **environ}
    command = [sys.executable, '-W', 'ignore', *map(str, arguments)]
    return subprocess.run(command, env=environ, capture_output=True, text=True)


# ---------------------------------------------------------------- imports


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


@pytest.mark.parametrize('timm', [False, True])
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


# ---------------------------------------------------------------- evaluation

# Two of two actions are found by the first of 100 proposals a video, at every IoU.
AREA = """
from mmaction.evaluation import average_recall_at_avg_proposals
import numpy as np
truth = {name: np.array([[0, 1, 0]]) for name in 'ab'}
proposals = {name: np.array([[0, 1, 0.9]] + 99 * [[2, 3, 0.1]]) for name in 'ab'}
recall, _, _, auc = average_recall_at_avg_proposals(truth, proposals, 200)
print(recall.mean(), auc, hasattr(np, 'trapz'))
"""


@pytest.mark.parametrize('first', ['mmtemporal', 'mmaction.evaluation'])
def test_restore_trapz(first):
    done = run_python('-c', f'import {first}\nimport mmtemporal\n{AREA}')
    recall, area, numpy_has_it = done.stdout.split()
    assert float(recall) == 1 and float(area) == pytest.approx(99)
    assert numpy_has_it == str(hasattr(np, 'trapz'))


@pytest.mark.skipif(hasattr(np, 'trapz'), reason='this numpy has the old name')
def test_restore_trapz_acts_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(on_import, '_asked', set())
    monkeypatch.setattr(sys, 'meta_path', list(sys.meta_path))
    with monkeypatch.context() as patch:
        patch.setattr(np, 'trapz', np.trapezoid, raising=False)
        assert not evaluation.restore_trapz()
    assert evaluation.restore_trapz()
    assert not evaluation.restore_trapz()


# ---------------------------------------------------------------- checkpoints


@pytest.fixture
def no_safe_globals():
    if not hasattr(torch.serialization, 'get_safe_globals'):
        pytest.skip('torch before 2.4 cannot be told which classes to allow')
    saved = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(saved)


def training_checkpoint():
    """What mmengine adds to the weights: buffers of logs, and schedulers."""
    hub = MessageHub('test_compat')
    for loss in (3.0, 1.0):
        hub.update_scalar('train/loss', loss)
        hub.update_scalar('val/acc', np.float32(loss))
    hub.update_info('best_score', np.float64(0.5))
    hub.update_info('flags', np.array([True, False]))
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    schedulers = [
        OneCycleLR(optimizer, eta_max=1, total_steps=9, anneal_strategy=strategy)
        for strategy in ('cos', 'linear')
    ]
    return dict(
        message_hub=hub.state_dict(),
        param_schedulers=[scheduler.state_dict() for scheduler in schedulers],
        state_dict=dict(weight=weight),
    )


@pytest.mark.parametrize('core', ['numpy._core', 'numpy.core'])
def test_allow_training_checkpoints(no_safe_globals, tmp_path, core):
    file = tmp_path / 'epoch_1.pth'
    # The old format is one plain pickle stream, in which names can be replaced.
    torch.save(training_checkpoint(), file, _use_new_zipfile_serialization=False)
    content = file.read_bytes()
    for known in (b'numpy._core.multi', b'numpy.core.multi'):
        content = content.replace(b'c' + known, f'c{core}.multi'.encode())
    assert f'c{core}.multiarray'.encode() in content
    file.write_bytes(content)

    with pytest.raises(Exception, match='Weights only load failed'):
        torch.load(file)
    assert checkpoints.allow_training_checkpoints()
    assert not checkpoints.allow_training_checkpoints()

    loaded = torch.load(file)
    hub = loaded['message_hub']
    loss = hub['log_scalars']['train/loss']
    assert isinstance(loss, HistoryBuffer)
    assert [loss.statistics(name) for name in ('min', 'max', 'mean')] == [1, 3, 2]
    assert hub['log_scalars']['val/acc'].current() == 1
    assert hub['runtime_info']['best_score'] == 0.5
    assert hub['runtime_info']['flags'].tolist() == [True, False]
    cosine, linear = (s['anneal_func'] for s in loaded['param_schedulers'])
    assert cosine(0, 1, 0.25) == pytest.approx(0.5 - 0.5**1.5)
    assert linear(0, 1, 0.25) == 0.25


class Reference:
    """Pickles as an attribute look-up, as a crafted checkpoint would."""

    def __init__(self, owner, name):
        self.arguments = owner, name

    def __reduce__(self):
        return getattr, self.arguments


@pytest.mark.parametrize(
    'owner, name',
    [
        (HistoryBuffer, 'update'),
        (OneCycleParamScheduler, '__init__'),
        (OneCycleParamScheduler, 'min'),
        (np.ndarray, 'max'),
    ],
)
def test_getattr_reaches_nothing_else(no_safe_globals, tmp_path, owner, name):
    checkpoints.allow_training_checkpoints()
    torch.save(Reference(owner, name), tmp_path / 'crafted.pth')
    with pytest.raises(Exception, match='may only refer to'):
        torch.load(tmp_path / 'crafted.pth')


def test_old_torch_needs_no_safe_globals(no_safe_globals, monkeypatch):
    monkeypatch.setattr(torch, '__version__', '2.5.1')
    assert not checkpoints.allow_training_checkpoints()
    assert not torch.serialization.get_safe_globals()


# ---------------------------------------------------------------- distributed

TWO_PROCESSES = """
import pathlib
import mmtemporal
import torch
from mmengine.dist import get_backend, get_rank, init_dist
from mmengine.model import MMDistributedDataParallel

init_dist('pytorch', backend='nccl')
torch.manual_seed(0)
model = MMDistributedDataParallel(torch.nn.Linear(2, 1), device_ids=[get_rank()])
model(torch.full((1, 2), 1.0 + get_rank())).sum().backward()
assert model.module.weight.grad.tolist() == [[1.5, 1.5]], model.module.weight.grad
assert get_backend() == 'gloo'
pathlib.Path(__file__).with_name(f'rank{get_rank()}').touch()
"""


def test_two_processes_on_cpu(tmp_path):
    script = tmp_path / 'train.py'
    script.write_text(TWO_PROCESSES)
    launcher = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    done = run_python(*launcher, script, CUDA_VISIBLE_DEVICES='')
    assert done.returncode == 0, done.stderr
    assert {file.name for file in tmp_path.glob('rank*')} == {'rank0', 'rank1'}


def test_other_backends_are_kept(monkeypatch):
    seen = {}
    monkeypatch.setattr(distributed.torch_dist, 'init_process_group', seen.update)
    monkeypatch.setattr(distributed.atexit, 'register', lambda *args: None)
    distributed._init_gloo('mpi', timeout=3)
    assert seen == dict(backend='mpi', timeout=3)
    with pytest.raises(ValueError, match='env_cfg.dist_cfg.init_backend'):
        distributed._init_gloo('nccl', init_backend='deepspeed')


def stock_launcher(backend, **kwargs):
    raise NotImplementedError


@pytest.mark.parametrize('device', ['cpu', 'cuda', 'npu'])
def test_fixes_by_device(monkeypatch, device):
    ddp_init = inspect.unwrap(MMDistributedDataParallel.__init__)
    slots = [
        (sys.modules['mmengine.dist.utils'], '_init_dist_pytorch', stock_launcher),
        (MMDistributedDataParallel, '__init__', ddp_init),
        (amp_optimizer_wrapper, 'is_cuda_available', torch.cuda.is_available),
    ]
    for owner, name, stock in slots:
        monkeypatch.setattr(owner, name, stock)
    monkeypatch.setattr('mmengine.device.utils.DEVICE', device)

    fixes = (
        distributed.init_dist_on_cpu,
        distributed.wrap_ddp_on_cpu,
        amp.allow_amp_on_cpu,
    )
    for fix in fixes:
        assert fix() is (device == 'cpu')
        assert fix() is False
    for owner, name, stock in slots:
        assert (getattr(owner, name) is stock) is (device != 'cpu')


# ---------------------------------------------------------------- mixed precision


@cpu_only
@pytest.mark.parametrize('loss_scale', ['dynamic', 512.0, dict(init_scale=8.0)])
def test_amp_trains_on_cpu(loss_scale):
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(16, 4), torch.ones(16, 1)
    losses = []
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        # mmengine calls re.split in a way that Python 3.13 warns of.
        warnings.filterwarnings('ignore', "'maxsplit' is passed", DeprecationWarning)
        # The stock scaler says that it is turned off, or deprecated.
        warnings.filterwarnings('ignore', r'.*(amp\.GradScaler|is not available)')
        wrapper = AmpOptimWrapper(
            optimizer=optimizer, loss_scale=loss_scale, clip_grad=dict(max_norm=10)
        )
        for _ in range(20):
            with wrapper.optim_context(model):
                out = model(x)
            assert out.dtype == torch.bfloat16
            loss = (out.float() - y).square().mean()
            losses.append(loss.item())
            wrapper.update_params(loss)
        wrapper.load_state_dict(wrapper.state_dict())
    assert losses[-1] < 0.5 * losses[0]


def test_cast_half_scores(monkeypatch):
    from mmaction.models.heads import BaseHead, OmniHead, RGBPoseHead, TSNHead
    from mmaction.structures import ActionDataSample

    for head in (BaseHead, OmniHead, RGBPoseHead):
        stock = inspect.unwrap(head.loss_by_feat)
        monkeypatch.setattr(head, 'loss_by_feat', stock)
    head = TSNHead(num_classes=6, in_channels=2)
    samples = [ActionDataSample().set_gt_label(label) for label in (1, 4)]
    scores = torch.eye(6)[[1, 5]]

    with pytest.raises(TypeError, match='BFloat16'):
        head.loss_by_feat(scores.bfloat16(), samples)
    assert amp.cast_half_scores()
    assert not amp.cast_half_scores()

    expected = head.loss_by_feat(scores, samples)
    assert expected['top1_acc'] == 0.5
    for dtype in (torch.bfloat16, torch.float16):
        losses = head.loss_by_feat(scores.to(dtype), samples)
        assert losses['loss_cls'].dtype == torch.float32
        assert losses == expected
    double = head.loss_by_feat(scores.double(), samples)
    assert double['loss_cls'].dtype == torch.float64

    head = RGBPoseHead(
        num_classes=6, in_channels=[2, 2], loss_components=['rgb', 'pose']
    )
    by_stream = dict(rgb=scores.bfloat16(), pose=scores.bfloat16())
    losses = head.loss_by_feat(by_stream, samples)
    assert losses['rgb_loss_cls'] == expected['loss_cls']
