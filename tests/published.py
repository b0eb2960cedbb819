"""A network of a few thousand parameters, and what a training saves of it."""

from datetime import date
from pathlib import Path

import numpy as np
import torch
from mmaction.apis import init_recognizer
from mmengine import Config
from mmengine.logging import MessageHub
from torch import nn

REPOSITORY = Path(__file__).parents[1]
SHIPPED = (
    REPOSITORY / 'configs/recognition/tadaconvnext'
    '/tadaconvnextv2_scratch-mini_1xb8-u16-10e_motionclips-rgb.py'
)
NAME = 'tadaconvnextv2_scratch-nano_1xb8-u16-10e_motionclips-rgb'
DAY = date(2024, 2, 29)


def write_config(folder):
    """Write the shipped config with a network of a few thousand parameters."""
    file = folder / 'configs' / 'nano' / f'{NAME}.py'
    file.parent.mkdir(parents=True)
    arch = dict(depths=(1, 1, 1, 1), channels=(16, 16, 32, 32), head_dim=8)
    file.write_text(
        f'_base_ = [{str(SHIPPED)!r}]\n'
        f'model = dict(backbone=dict(arch=dict(_delete_=True, **{arch})),\n'
        '             cls_head=dict(in_channels=32))\n'
    )
    return file


def build(config):
    model = init_recognizer(Config.fromfile(config), device='cpu')
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


def make_checkpoint(model, dataset_meta=None):
    """What mmengine's runner saves."""
    hub = MessageHub('test_publish')
    hub.update_scalar('train/loss', np.float32(3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return dict(
        meta=dict(
            epoch=10,
            iter=1500,
            seed=3,
            experiment_name='mine',
            dataset_meta=dataset_meta or {},
        ),
        state_dict=model.state_dict(),
        message_hub=hub.state_dict(),
        optimizer=optimizer.state_dict(),
        param_schedulers=[],
    )


def weights(file):
    return torch.load(file)['state_dict']
