"""With a temporal layer inside, networks for images learn the order of frames."""

from pathlib import Path

import pytest
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


def accuracy_of(backbone, clips, work_dir):
    cfg = Config.fromfile(TSN)
    cfg.model.backbone = backbone
    cfg.model.cls_head.in_channels = CHANNELS
    for name in ('train', 'val', 'test'):
        dataset = cfg[f'{name}_dataloader'].dataset
        dataset.ann_file = str(clips / Path(dataset.ann_file).name)
        dataset.data_prefix.video = str(clips)
    cfg.train_cfg.max_epochs = cfg.param_scheduler[-1].end = EPOCHS
    cfg.train_cfg.val_interval = EPOCHS
    cfg.optim_wrapper.optimizer.lr = LR
    # TAM's kernels start near a symmetric mean, which they have to leave.
    kernels = {'.G.': dict(lr_mult=0.02 / LR)}
    cfg.optim_wrapper.paramwise_cfg = dict(custom_keys=kernels)
    cfg.work_dir = str(work_dir)
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner.message_hub.get_scalar('val/acc/top1').current()


TAM = dict(temporal=dict(type='TAM'))
TIN = dict(temporal=dict(type='TemporalInterlace'))
# A quarter as wide as it is by default.
RESNET = dict(type='timm.resnet10t', channels=(16, 32, 64, 128))
CHANNELS, LR, EPOCHS = 128, 2e-3, 4


@pytest.mark.slow
@pytest.mark.parametrize(
    'adapter', [None, TAM, TIN], ids=['without', 'TAM', 'TemporalInterlace']
)
def test_order_is_learnt_with_a_layer_alone(clips, tmp_path, adapter):
    import_or_skip('timm')
    backbone = dict(RESNET)
    if adapter is not None:
        backbone = dict(
            type='mmtemporal.TemporalAdapter',
            backbone=RESNET,
            num_segments=8,
            **adapter,
        )
    accuracy = accuracy_of(backbone, clips, tmp_path)
    if adapter is None:
        # Frames as a set score both directions of a scene alike.
        assert 0.2 <= accuracy <= 0.55
    else:
        assert accuracy >= 0.9
