"""What the tests of the tool that converts checkpoints share."""

import runpy

import pytest
import torch
from mmengine import Config
from parity import CONFIGS

REPOSITORY = CONFIGS.parent
TOOL = REPOSITORY / 'tools' / 'convert_checkpoint.py'
main = runpy.run_path(str(TOOL))['main']
# The least that is recognised.
TINY = {
    'base_model.layer1.0.tam.G.0.weight': torch.rand(16, 8),
    'new_fc.weight': torch.rand(3, 5),
    'new_fc.bias': torch.rand(3),
}


def convert(*arguments):
    main([str(argument) for argument in arguments])


def refuse(match, *arguments):
    """Assert that there is one message, and no trace of a file."""
    with pytest.raises(SystemExit, match=match) as error:
        convert(*arguments)
    assert str(error.value).startswith('error: ')
    assert '\n' not in str(error.value)
    assert not list(arguments[1].parent.glob('.*'))


def small_config(folder, backbone, in_channels=512):
    """Write and returns the config of a recognizer, by default on a ResNet-18."""
    base = CONFIGS / '_base_/models/tanet_r50.py'
    if not {'arch', 'backbone'} & backbone.keys():
        backbone = {'depth': 18, **backbone}
    backbone = {'num_segments': 8, **backbone}
    head = dict(num_classes=10, in_channels=in_channels)
    (folder / 'config.py').write_text(
        f'_base_ = {str(base)!r}\n'
        f'model = dict(backbone=dict(_delete_=True, **{backbone!r}), cls_head={head!r})'
    )
    return Config.fromfile(folder / 'config.py')
