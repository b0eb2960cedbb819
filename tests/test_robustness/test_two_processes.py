"""Two processes with synchronised batch norms do what one does with both batches."""

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from forked import start
from mmaction.structures import ActionDataSample
from mmengine.model import MMDistributedDataParallel, convert_sync_batchnorm
from small_backbones import BACKBONES, build, clips
from torch import nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

PROCESSES = 2
CLIPS = 2  # of each process
T = 4


def normalise_together(self, x):
    """Stand in for ``SyncBatchNorm.forward``, which refuses tensors on CPU."""
    if not self.training:
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )
    dims = [dim for dim in range(x.dim()) if dim != 1]
    shape = [-1 if dim == 1 else 1 for dim in range(x.dim())]
    count = PROCESSES * x.numel() / x.shape[1]
    mean = all_reduce(x.sum(dims)) / count
    x = x - mean.view(shape)
    var = all_reduce(x.square().sum(dims)) / count
    with torch.no_grad():
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(var * count / (count - 1), self.momentum)
    scale = self.weight * (var + self.eps).rsqrt()
    return x * scale.view(shape) + self.bias.view(shape)


def step(model, x, labels):
    """Return the loss, and all gradients and running statistics after it."""
    samples = [ActionDataSample().set_gt_label(label) for label in labels]
    module = getattr(model, 'module', model)
    loss, _ = module.parse_losses(model(x, samples, mode='loss'))
    loss.backward()
    gradients = {name: p.grad for name, p in module.named_parameters()}
    return dict(loss=loss.detach(), gradients=gradients, buffers=module.state_dict())


def run(rank, folder):
    torch.manual_seed(0)  # the same clips in both
    nn.SyncBatchNorm.forward = normalise_together
    # Refuses these layers on CPU as well.
    MMDistributedDataParallel._passing_sync_batchnorm_handle = lambda *args: None
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=PROCESSES
    )
    results = {}
    for name in BACKBONES:
        x = clips(name, n=PROCESSES * CLIPS, dtype=torch.float64, t=T)
        labels = range(len(x))
        if rank == 0:
            model = build(name, num_segments=T).double().train()
            results[name, 'one'] = step(model, x, labels)
        model = convert_sync_batchnorm(build(name, num_segments=T).double().train())
        norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
        # TAdaConvNeXtV2 has none.
        assert all(isinstance(m, nn.SyncBatchNorm) for m in norms)
        # As the runner wraps it.
        model = MMDistributedDataParallel(
            model, device_ids=[rank], broadcast_buffers=False
        )
        mine = slice(rank * CLIPS, (rank + 1) * CLIPS)
        result = step(model, x[mine], labels[mine])
        dist.all_reduce(result['loss'])
        result['loss'] /= PROCESSES
        results[name, 'two'] = result
    if rank == 0:
        torch.save(results, f'{folder}/results.pth')
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp('two_processes')
    children = [start(run, i, folder) for i in range(PROCESSES)]
    for child in children:
        child.join()
        assert child.exitcode == 0
    results = torch.load(folder / 'results.pth')
    (folder / 'results.pth').unlink()
    return results


@pytest.mark.slow
@pytest.mark.parametrize('name', BACKBONES)
def test_two_processes_are_one_with_both_batches(results, name):
    one, two = results[name, 'one'], results[name, 'two']
    torch.testing.assert_close(two, one, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(('name', 'options'), [('TDN', {}), ('TIN', {'with_cp': True})])
def test_recomputing_through_the_layer_of_torch(name, options):
    """Outside a process group it works on CPU, as a batch norm."""
    x = clips(name, n=CLIPS, dtype=torch.float64, t=T)
    models = [build(name, num_segments=T, **options).double() for _ in range(2)]
    models[1] = convert_sync_batchnorm(models[1])
    plain, synchronised = (step(model.train(), x, range(CLIPS)) for model in models)
    torch.testing.assert_close(synchronised, plain)
