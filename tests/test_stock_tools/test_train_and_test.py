"""The stock ``train.py`` and ``test.py``, run as a user runs them."""

import json
import math
import signal
import socket

import pytest
import torch
from forked import run_tools
from mmengine import Config, load
from stock_config import (
    BATCH,
    ITERATIONS,
    NUM_CLASSES,
    NUM_VAL,
    logged,
    run_python,
    run_tool,
    train_records,
)

from mmtemporal import tools

# A key that only checkpoints of the method have.
OWN_KEYS = {
    'TANet': 'backbone.layer4.1.tam.G.0.weight',
    'TIN': 'backbone.layer4.1.conv1.conv.net1.offset_net.fc2.bias',
    'TDN': 'backbone.layer4.1.ltdm.expand.weight',
    'TAda2D': 'backbone.layer4.1.conv1.conv.routing.b.weight',
    'TAdaConvNeXtV2': 'backbone.stages.3.0.dwconv.routing.proj.weight',
    'TAdaFormer': 'backbone.layers.3.tada.routing.proj.weight',
}


def assert_trained(checkpoint, name, epochs=1, iterations=ITERATIONS):
    """Check the progress, and that every layer, the method's too, was trained."""
    assert checkpoint['meta']['epoch'] == epochs
    assert checkpoint['meta']['iter'] == iterations
    state = checkpoint['state_dict']
    assert {key for key in OWN_KEYS.values() if key in state} == {OWN_KEYS[name]}
    counter = 'backbone.conv1.bn.num_batches_tracked'  # ConvNeXt and CLIP have none
    assert state.get(counter, iterations) == iterations
    # AdamW keeps moments of the parameters that ever got a gradient. It may be zero
    # behind a ReLU, of which an offset net has T.
    optimizer = checkpoint['optimizer']
    number = sum(len(group['params']) for group in optimizer['param_groups'])
    moments = [moment['exp_avg_sq'] for moment in optimizer['state'].values()]
    assert len(moments) == number
    assert sum(bool(moment.any()) for moment in moments) > 0.9 * number
    assert all(value.isfinite().all() for value in state.values())


def test_train(trained, name):
    assert_trained(torch.load(trained.checkpoint), name)
    losses = [record['loss'] for record in train_records(trained.work_dir)]
    assert len(losses) == ITERATIONS
    # Eight classes, and a classifier whose scores start small; but where features are
    # normalised, clips that are alike have the same ones, with a deviation of 0.6.
    tolerance = 0.3 if name == 'TAdaFormer' else 0.1
    assert math.isclose(losses[0], math.log(NUM_CLASSES), rel_tol=tolerance)
    assert all(map(math.isfinite, losses))
    assert 'acc/top1' in logged(trained.work_dir)[-1]
    assert 'unexpected key' not in trained.output
    assert 'missing keys' not in trained.output


@pytest.mark.slow
def test_stock_script_with_mixed_precision(trained, name, work_dir):
    options = (trained.config, '--amp', '--work-dir', work_dir)
    if name == 'TANet':
        # Not through the launcher: custom_imports in the config is all it has.
        run_python(tools.find_tools()['train'], *options)
    else:
        run_tool('train', *options)
    assert_trained(torch.load(work_dir / 'epoch_1.pth'), name)
    cfg = Config.fromfile(work_dir / 'config.py')
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    first, exact = (train_records(d)[0]['loss'] for d in (work_dir, trained.work_dir))
    assert math.isclose(first, exact, rel_tol=1e-2)
    assert first != exact  # the forward pass did run in bfloat16


@pytest.mark.slow
def test_backbone_by_command_line(write_config, work_dir):
    option = 'model.backbone.type=mmtemporal.TIN'
    config = write_config('TANet')
    run_tool('train', config, '--work-dir', work_dir, '--cfg-options', option)
    assert_trained(torch.load(work_dir / 'epoch_1.pth'), 'TIN')
    cfg = Config.fromfile(work_dir / 'config.py')
    assert cfg.model.backbone.type == 'mmtemporal.TIN'


POWER_CUT = """
import os, signal
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class PowerCut(Hook):
    priority = 'LOWEST'  # when the step has been logged

    def after_train_iter(self, runner, batch_idx, *args, **kwargs):
        if (runner.epoch, batch_idx) == (1, 1):
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_resume_after_a_kill(name, write_config, work_dir, tmp_path):
    # With fixed frames the same step has the same loss, before and after.
    config = write_config(name, {'train_cfg.max_epochs': 2})
    cfg = Config.fromfile(config)
    for transform in cfg.train_dataloader.dataset.pipeline:
        if transform.type in ('SampleFrames', 'UniformSample'):
            transform.test_mode = True
    cfg.dump(config)
    (tmp_path / 'power_cut.py').write_text(POWER_CUT)
    cfg.custom_imports.imports.append('power_cut')
    cfg.custom_hooks = [dict(type='PowerCut')]
    cfg.dump(tmp_path / 'killed.py')

    killed = run_tool(
        *('train', tmp_path / 'killed.py', '--work-dir', work_dir),
        pythonpath=[tmp_path],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-4000:]
    assert (work_dir / 'last_checkpoint').read_text().endswith('epoch_1.pth')
    before = train_records(work_dir)
    assert [r['step'] for r in before] == [*range(1, ITERATIONS + 3)]

    run_tool('train', config, '--work-dir', work_dir, '--resume')
    after = train_records(work_dir)
    assert [r['step'] for r in after] == [*range(ITERATIONS + 1, 2 * ITERATIONS + 1)]
    assert {r['epoch'] for r in after} == {2}
    for lost, again in zip(before[ITERATIONS:], after):
        assert math.isclose(lost['loss'], again['loss'], rel_tol=1e-5)
        assert math.isclose(lost['lr'], again['lr'], rel_tol=1e-9)
    checkpoint = torch.load(work_dir / 'epoch_2.pth')
    assert_trained(checkpoint, name, epochs=2, iterations=2 * ITERATIONS)


def torchrun_environs(number=2):
    """Return what torchrun tells each process."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        port = server.getsockname()[1]
    shared = dict(
        MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), WORLD_SIZE=str(number)
    )
    return [dict(shared, RANK=str(i), LOCAL_RANK=str(i)) for i in range(number)]


@pytest.mark.slow
def test_two_processes(trained, name, work_dir):
    options = (trained.config, '--launcher', 'pytorch', '--work-dir', work_dir)
    if name == 'TANet':
        run_python(
            *('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2'),
            *('-m', 'mmtemporal.tools', 'train', *options),
        )
    else:
        for done in run_tools(('train', *options), torchrun_environs()):
            assert done.returncode == 0, done.stderr[-4000:]
    # Each process sees half of the clips. A parameter without a gradient would
    # have stopped the second step.
    assert ITERATIONS // 2 >= 2
    checkpoint = torch.load(work_dir / 'epoch_1.pth')
    assert_trained(checkpoint, name, iterations=ITERATIONS // 2)
    cfg = Config.fromfile(work_dir / 'config.py')
    assert cfg.launcher == 'pytorch'
    assert 'find_unused_parameters' not in cfg
    assert 'model_wrapper_cfg' not in cfg
    assert cfg.train_dataloader.batch_size == BATCH


def test_test_with_dump(trained, tested, data_root, monkeypatch, capsys):
    results = load(tested.dump)
    assert len(results) == NUM_VAL
    lines = (data_root / 'val.txt').read_text().splitlines()
    labels = [result['gt_label'].item() for result in results]
    assert labels == [int(line.split()[1]) for line in lines]
    scores = torch.stack([result['pred_score'] for result in results])
    assert scores.shape == (NUM_VAL, NUM_CLASSES)
    torch.testing.assert_close(scores.sum(1), torch.ones(NUM_VAL))
    assert (scores.std(0) > 0).all()  # the clips are told apart

    (report,) = tested.work_dir.glob('*/*.json')
    reported = json.loads(report.read_text().splitlines()[-1])
    hits = scores.argmax(1) == torch.tensor(labels)
    assert reported['acc/top1'] == pytest.approx(hits.float().mean().item())
    # The last validation of the training was of the same weights.
    validated = logged(trained.work_dir)[-1]
    for metric in ('acc/top1', 'acc/top5', 'acc/mean1'):
        assert reported[metric] == pytest.approx(validated[metric])

    monkeypatch.setattr('sys.argv', [])
    arguments = ('--preds', tested.dump, '--coefficients', '1.0')
    tools.main(['report_accuracy', *arguments])
    printed = capsys.readouterr().out
    assert f'Top 1 Accuracy: {reported["acc/top1"]:.4f}' in printed
    assert f'Top 5 Accuracy: {reported["acc/top5"]:.4f}' in printed
