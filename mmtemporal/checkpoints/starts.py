"""Image networks, from which a backbone can start."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from logging import Handler, LogRecord
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Optional, Union

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

from mmtemporal.config_types import loads_checkpoint

from .convert import Format


def _has(pattern: str):
    return lambda name: re.match(pattern, name) is not None


def _unwrap(name: str) -> Optional[str]:
    """Return a recognizer's name of a tensor, without the wrapper of TSM's shift."""
    if name.startswith('cls_head.'):
        return name
    if name.startswith('data_preprocessor.'):
        return None
    return f'backbone.{name.removeprefix("backbone.").replace(".net.", ".")}'


# The backbones rename the tensors themselves.
STARTS = (
    Format(
        'a ResNet, TSN or TSM of MMAction2',
        ('mmaction2',),
        _has(r'(backbone\.)?layer1\.0\.(net\.)?conv1\.conv\.(net\.)?weight$'),
        _unwrap,
    ),
    Format(
        'an image ResNet of torchvision or timm',
        ('torchvision', 'timm'),
        _has(r'(backbone\.)?layer1\.0\.conv1\.weight$'),
    ),
    Format(
        'an image ConvNeXt of torchvision',
        ('torchvision',),
        _has(r'features\.\d\.\d+\.layer_scale$'),
    ),
    Format(
        'an image ConvNeXt of timm',
        ('timm',),
        _has(r'stages\.\d\.blocks\.\d+\.conv_dw\.'),
    ),
    Format(
        'an image ConvNeXt of Facebook',
        ('facebook',),
        _has(r'stages\.\d\.\d+\.dwconv\.weight$'),
    ),
    Format(
        'an image ConvNeXt of mmpretrain',
        ('mmpretrain',),
        _has(r'backbone\.stages\.\d\.\d+\.depthwise_conv\.'),
    ),
)


def start_backbone(backbone: nn.Module, tensors: dict[str, Tensor], name: str) -> str:
    """Starts a backbone of this package from an image network.

    Args:
        backbone: The backbone, freshly built.
        tensors: The tensors of the image network.
        name: What the file is called in messages.

    Returns:
        What the backbone reports about its start.

    Raises:
        ValueError: The image network does not fit, or the backbone is none of
            this package.
    """
    if not type(backbone).__module__.startswith('mmtemporal.'):
        raise ValueError(
            f'model.backbone is a {type(backbone).__name__}, no network of mmtemporal; '
            'to start another one needs no conversion'
        )
    backbone.init_cfg = _without_checkpoints(backbone.init_cfg)
    backbone.torchvision_pretrain = True
    with TemporaryDirectory() as folder:
        backbone.pretrained = str(Path(folder) / 'start.pth')
        torch.save(tensors, backbone.pretrained)
        try:
            with _collect_log() as lines:
                backbone.init_weights()
        except ValueError as error:
            raise ValueError(str(error).replace(backbone.pretrained, name)) from None
    reports = [line.partition(': loaded ')[2] for line in lines if ': loaded ' in line]
    # A backbone without temporal layers has the very tensors of the file.
    return f'loaded {reports[0] if reports else f"{len(tensors)} tensors"}'


def _without_checkpoints(init_cfg: Union[None, Mapping, Sequence]) -> list:
    rules = [init_cfg] if isinstance(init_cfg, Mapping) else init_cfg or ()
    return [rule for rule in rules if not loads_checkpoint(rule)]


@contextmanager
def _collect_log() -> Iterator[list[str]]:
    """Collects what mmengine's logger would print."""
    lines = []

    class Collector(Handler):
        def emit(self, record: LogRecord) -> None:
            lines.append(record.getMessage())

    logger = MMLogger.get_current_instance()
    before, logger.handlers = logger.handlers, [Collector()]
    try:
        yield lines
    finally:
        logger.handlers = before
