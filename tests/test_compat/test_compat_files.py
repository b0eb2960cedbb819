"""Training checkpoints in torch's safe mode, which allows nothing else."""

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.optim import OneCycleLR
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

from mmtemporal.compat import (
    checkpoints,
)


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
