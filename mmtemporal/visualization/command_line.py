"""What the programs that look at a trained network are told on the command line."""

import argparse
from pathlib import Path
from typing import Optional

from mmengine import Config, DictAction
from torch import nn

from mmtemporal.checkpoints.fit import load_trained
from mmtemporal.datasets.class_names import read_class_names
from mmtemporal.datasets.pipeline_options import check_pipeline_options


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which network is looked at, and how.

    Args:
        parser: The parser of the program.
    """
    add = parser.add_argument
    add('config', type=Path, metavar='CONFIG')
    add('checkpoint', type=Path, metavar='CHECKPOINT')
    add(
        '--cam-layer',
        metavar='NAME',
        help='module at which Grad-CAM looks (default: the last that gives feature '
        'maps)',
    )
    add(
        '--label-map',
        type=Path,
        metavar='FILE',
        help='names of the classes, one a line',
    )
    add('--device', default='cpu', help='cpu (default), cuda:0, ...')
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='changes to the config',
    )
    add(
        '--allow-pickle',
        action='store_true',
        help='run code that the checkpoint names; only for files that you trust',
    )


def load_model(args: argparse.Namespace) -> nn.Module:
    """Load the recognizer that the arguments name.

    Returns:
        The recognizer in eval mode, on its device, with its config as ``cfg``.

    Raises:
        ValueError: The config, the checkpoint or the device cannot be used.
    """
    model = load_trained(
        args.config, args.checkpoint, args.cfg_options, args.allow_pickle
    )
    check_pipeline_options(Config.fromfile(args.config), args.cfg_options or {})
    if not hasattr(model, 'cls_head'):
        raise ValueError(
            f'got model.type={type(model).__name__} without a cls_head, expected the '
            'config of a recognizer'
        )
    try:
        return model.to(args.device)
    except (AssertionError, RuntimeError) as error:
        raise ValueError(f'--device {args.device}: {error}') from error


def load_class_names(args: argparse.Namespace, model: nn.Module) -> Optional[list[str]]:
    """Read the names of the classes; None without ``--label-map``.

    Raises:
        ValueError: There are not as many as the head has classes.
    """
    if args.label_map is None:
        return None
    return read_class_names(args.label_map, model.cls_head.num_classes)
