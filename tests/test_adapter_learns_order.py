"""With a temporal layer inside, networks for images learn the order of frames."""

from pathlib import Path

import pytest
import torch
from backbone_libraries import import_or_skip
from mmengine.config import Config
from mmengine.runner import Runner

from mmtemporal.datasets import make_motion_clips

TSN = next(Path(__file__).parents[1].glob('configs/recognition/tsn/*_motionclips-*'))


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp('clips')
    make_motion_clips(folder, 1200, 240)
    return folder


def accuracy_of(backbone, channels, lr, epochs, clips, work_dir):
    cfg = Config.fromfile(TSN)
    cfg.model.backbone = backbone
    cfg.model.cls_head.in_channels = channels
    for name in ('train', 'val', 'test'):
        dataset = cfg[f'{name}_dataloader'].dataset
        dataset.ann_file = str(clips / Path(dataset.ann_file).name)
        dataset.data_prefix.video = str(clips)
    cfg.train_cfg.max_epochs = cfg.param_scheduler[-1].end = epochs
    cfg.train_cfg.val_interval = epochs
    cfg.optim_wrapper.optimizer.lr = lr
    # TAM's kernels start near a symmetric mean, which they have to leave.
    kernels = {'.G.': dict(lr_mult=0.02 / lr)}
    cfg.optim_wrapper.paramwise_cfg = dict(custom_keys=kernels)
    cfg.work_dir = str(work_dir)
    runner = Runner.from_cfg(cfg)
    # Twice as fast for depthwise convolutions.
    runner.model.to(memory_format=torch.channels_last)
    runner.train()
    return runner.message_hub.get_scalar('val/acc/top1').current()


TAM = dict(temporal=dict(type='TAM'))
TIN = dict(temporal=dict(type='TemporalInterlace'))
# With the expanded channels, of which a quarter are more than a few.
WIDE = dict(where=r'layer\d\.\d\.conv\.1')
MOBILENET = dict(type='MobileNetV2', widen_factor=0.5)
RESNET = dict(type='timm.resnet10t')


@pytest.mark.slow
@pytest.mark.parametrize(
    ('host', 'adapter', 'channels', 'lr', 'epochs'),
    [
        pytest.param(MOBILENET, None, 1280, 4e-3, 8, id='mobilenet'),
        pytest.param(MOBILENET, TAM, 1280, 4e-3, 15, id='mobilenet-tam'),
        pytest.param(MOBILENET, {**TIN, **WIDE}, 1280, 4e-3, 12, id='mobilenet-tin'),
        pytest.param(RESNET, None, 512, 2e-3, 3, id='timm'),
        pytest.param(RESNET, TAM, 512, 2e-3, 3, id='timm-tam'),
        pytest.param(RESNET, TIN, 512, 2e-3, 3, id='timm-tin'),
    ],
)
def test_order_is_learnt_with_a_layer_alone(
    clips, tmp_path, host, adapter, channels, lr, epochs
):
    if host is RESNET:
        import_or_skip('timm')
    backbone = dict(host)
    if adapter is not None:
        backbone = dict(
            type='mmtemporal.TemporalAdapter', backbone=host, num_segments=8, **adapter
        )
    accuracy = accuracy_of(backbone, channels, lr, epochs, clips, tmp_path)
    if adapter is None:
        # Frames as a set score both directions of a scene alike.
        assert accuracy <= 0.55
    else:
        assert accuracy >= 0.9
