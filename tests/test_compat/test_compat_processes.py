"""Several processes without an accelerator, and which fixes wait for that."""

import inspect
import sys

import pytest
import torch
from fresh_process import run_python
from mmengine.model import MMDistributedDataParallel
from mmengine.optim.optimizer import amp_optimizer_wrapper

from mmtemporal.compat import (
    amp,
    distributed,
)

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


@pytest.mark.slow
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
