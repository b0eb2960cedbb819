"""The logged statistics are those of the training batch, and cost nothing between."""

import logging
from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from small_backbones import build, frames
from stock_config import logged
from torch import nn
from torch.utils.data import Dataset

from mmtemporal.engine import TemporalStatisticsHook
from mmtemporal.engine.statistics_hook import summarise
from mmtemporal.models.layers import (
    TAM,
    LongTermTDM,
    TAdaConv2d,
    TemporalInterlace,
    TemporalShift,
)
from mmtemporal.models.layers.temporal_layer import temporal_layers
from mmtemporal.visualization.recording import record

T = 4
N = 2
C = 16


class Clips(Dataset):
    """Random clips, (t, c, h, w)."""

    def __len__(self):
        return 6 * N

    def __getitem__(self, index):
        return torch.randn(T, C, 3, 3, generator=torch.Generator().manual_seed(index))


class Network(BaseModel):
    """One layer of each kind, and a loss."""

    def __init__(self):
        super().__init__()
        self.tam = TAM(C, T)
        self.tin = TemporalInterlace(C, T)
        self.ltdm = LongTermTDM(C, T)
        self.tada = TAdaConv2d(C, C, 1, num_segments=T)
        nn.init.normal_(self.tada.routing.b.weight)

    def forward(self, inputs, mode='loss'):
        x = inputs.flatten(0, 1)
        for layer in (self.tam, self.tin, self.ltdm, self.tada):
            x = layer(x)
        return dict(loss=(x**2).mean())

    def train_step(self, data, optim_wrapper):
        loss, log = self.parse_losses(self(torch.stack(data)))
        optim_wrapper.update_params(loss)
        return log


class Witness(Hook):
    """Compute the values from the inputs of the layers, and count the recorders."""

    priority = 'VERY_LOW'

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        model = runner.model
        number = sum(layer.recorder is not None for _, layer in temporal_layers(model))
        self.recorders = [*getattr(self, 'recorders', []), number]
        # A copy in training mode, whose batch norms see the batch as the model's do.
        twin = Network()
        twin.load_state_dict(model.state_dict())
        x = torch.stack(data_batch).flatten(0, 1)
        with torch.no_grad():
            means = x.mean((2, 3)).unflatten(0, (N, T)).transpose(1, 2)
            kernel = twin.tam.G(means.flatten(0, 1))
            x = model_free(twin.tam, x)
            moved = x[:, : twin.tin.num_mixed].mean((2, 3))
            offset = twin.tin.offset_net(moved.unflatten(0, (N, T)).transpose(1, 2))
            x = model_free(twin.tin, x)
            gate = (twin.ltdm(x) / x).mean((2, 3))
            x = model_free(twin.ltdm, x)
            means = x.mean((2, 3)).unflatten(0, (N, T))
            calibration = 1 + twin.tada.routing(means)[0]
        self.values = [
            *getattr(self, 'values', []),
            {
                'tam/kernel_past1': kernel[:, 0].mean(),
                'tam/kernel_present': kernel[:, 1].mean(),
                'tam/kernel_future1': kernel[:, 2].mean(),
                'tin/offset_group2': offset[:, 1].abs().mean(),
                'ltdm/gate_mean': gate.mean(),
                'ltdm/gate_std': gate.std(),
                'tada/calibration_mean': calibration.mean(),
                'tada/calibration_std': calibration.std(),
            },
        ]


def model_free(layer, x):
    """Run a layer as training does, but leaves its statistics."""
    state = {key: value.clone() for key, value in layer.state_dict().items()}
    out = layer(x)
    layer.load_state_dict(state)
    return out


def make_runner(tmp_path, model, hooks, **changes):
    return Runner(
        model,
        str(tmp_path),
        train_dataloader=dict(
            batch_size=N,
            num_workers=0,
            dataset=Clips(),
            sampler=dict(type=DefaultSampler, shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=None, runtime_info=dict(type='RuntimeInfoHook')),
        custom_hooks=hooks,
        visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
        default_scope='mmengine',
        experiment_name=f'statistics_{tmp_path.name}',
        log_level='WARNING',
        **changes,
    )


def test_logged_values(tmp_path):
    torch.manual_seed(0)
    witness = Witness()
    hook = dict(type='mmtemporal.TemporalStatisticsHook', interval=2)
    make_runner(tmp_path, Network(), [hook, witness]).train()
    # Layers record only in the iterations that are logged: the second, ...
    assert [bool(number) for number in witness.recorders] == [False, True] * 3
    records = [r for r in logged(tmp_path) if any('temporal/' in key for key in r)]
    assert [r['step'] for r in records] == [2, 4, 6]
    for found, expected in zip(records, witness.values[1::2]):
        for tag, value in expected.items():
            assert found[f'temporal/{tag}'] == pytest.approx(float(value), rel=1e-4)
    assert {key.count('/') for key in records[0] if key != 'step'} == {2}


def test_wrapped_models_keep_the_names(tmp_path):
    hook = TemporalStatisticsHook(interval=1)
    scalars = {}
    runner = SimpleNamespace(
        model=nn.DataParallel(Network()),
        cfg={},
        iter=0,
        visualizer=SimpleNamespace(
            add_scalars=lambda values, step: scalars.update(values)
        ),
    )
    hook.before_train(runner)
    hook.before_train_iter(runner)
    runner.model(torch.randn(N, T, C, 3, 3))
    hook.after_train_iter(runner)
    assert 'temporal/tam/kernel_present' in scalars
    assert not any('module' in tag for tag in scalars)


@pytest.mark.parametrize(
    ('name', 'tags'),
    [
        ('TANet', {'kernel_past1', 'importance_mean', 'importance_std'}),
        ('TIN', {'offset_group1', 'weight_first', 'weight_middle', 'weight_last'}),
        ('TDN', {'gate_mean', 'gate_std', 'difference_mean'}),
        ('TAda2D', {'calibration_mean', 'calibration_std'}),
        ('TAdaConvNeXtV2', {'calibration_mean', 'calibration_std'}),
        ('TAdaFormer', {'calibration_mean', 'calibration_std'}),
    ],
)
def test_every_backbone_has_finite_statistics(name, tags):
    network = build(name, head=False).backbone
    with torch.no_grad(), record(network.eval()) as records:
        network(frames(name, n=1))
    scalars = summarise(records)
    assert tags <= {tag.rpartition('/')[2] for tag in scalars}
    assert torch.tensor([*scalars.values()]).isfinite().all()


def test_wider_kernels_name_all_weights():
    layer = TAM(C, 8, adaptive_kernel_size=5)
    with torch.no_grad(), record(nn.ModuleDict(dict(tam=layer))) as records:
        layer.eval()(torch.randn(8, C, 2, 2))
    scalars = summarise(records)
    names = ('past2', 'past1', 'present', 'future1', 'future2')
    values = [scalars[f'temporal/tam/kernel_{name}'] for name in names]
    assert sum(values) == pytest.approx(1)


def test_networks_without_such_layers_are_refused(tmp_path):
    model = nn.Sequential(TemporalShift(C, T))
    runner = SimpleNamespace(model=model, cfg={})
    with pytest.raises(ValueError, match='found nothing to log.*custom_hooks'):
        TemporalStatisticsHook().before_train(runner)


def test_compiled_models_log_nothing_but_a_warning(caplog):
    logger = logging.getLogger('statistics')
    runner = SimpleNamespace(
        model=Network(), cfg=dict(compile=True), logger=logger, iter=0
    )
    hook = TemporalStatisticsHook(interval=1)
    with caplog.at_level('WARNING', 'statistics'):
        hook.before_train(runner)
    assert 'set compile=False' in caplog.text
    hook.before_train_iter(runner)
    assert not any(m._forward_hooks for m in runner.model.modules())
    hook.after_train_iter(runner)
