"""Whether a state dict fits the recognizer of a config, and what to change there."""

import re
from pathlib import Path
from typing import Optional

from mmaction.apis import init_recognizer
from mmaction.models.backbones.resnet import Bottleneck, ResNet
from mmengine import Config
from torch import Tensor, nn

from mmtemporal.models.backbones import TAdaConvNeXtV2

from .compare import compare
from .convert import shorten
from .files import read_checkpoint
from .on_load import convert_if_foreign

# Constants of the config, which old checkpoints hold among the weights.
_CONSTANTS = ('data_preprocessor.mean', 'data_preprocessor.std')


def build_model(config: Path, options: Optional[dict] = None) -> nn.Module:
    """Builds the recognizer of a config, and loads nothing that the config names.

    Args:
        config: The file.
        options: Changes to the config, as of ``--cfg-options``.

    Returns:
        The recognizer, with its config as ``cfg``.

    Raises:
        ValueError: The config cannot be read or its model cannot be built.
    """
    # A config is a program: it can fail in any way.
    try:
        cfg = Config.fromfile(config)
        cfg.merge_from_dict(options or {})
        return init_recognizer(cfg, device='cpu')
    except Exception as error:
        raise ValueError(f'cannot build the model of {config}: {error!r}') from error


def load_trained(
    config: Path,
    checkpoint: Path,
    options: Optional[dict] = None,
    allow_pickle: bool = False,
) -> nn.Module:
    """Builds the recognizer of a config and loads a whole trained checkpoint.

    Args:
        config: The file.
        checkpoint: A checkpoint of mmengine or of the authors.
        options: Changes to the config, as of ``--cfg-options``.
        allow_pickle: Whether code that the checkpoint names may be run, see
            :func:`~mmtemporal.checkpoints.files.read_checkpoint`.

    Returns:
        The recognizer in eval mode, with its config as ``cfg``.

    Raises:
        ValueError: The config or the checkpoint cannot be read, or they do not fit.
    """
    content = convert_if_foreign(read_checkpoint(checkpoint, allow_pickle), checkpoint)
    model = build_model(config, options)
    try:
        load_strictly(model, clean(find_state_dict(content, checkpoint), model))
    except ValueError as error:
        raise ValueError(f'{checkpoint} and {config}: {error}') from error
    return model


def find_state_dict(content: object, source: Path) -> dict[str, Tensor]:
    """Returns the weights that a checkpoint of mmengine holds.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(content, dict) or 'state_dict' not in content:
        raise ValueError(f'{source} is no checkpoint of mmengine: it has no state_dict')
    return content['state_dict']


def clean(state_dict: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Removes what other versions and wrappers add to the weights of a model."""
    tensors = {name.removeprefix('module.'): x for name, x in state_dict.items()}
    known = model.state_dict()
    extra = [name for name in _CONSTANTS if name not in known]
    return {name: x for name, x in tensors.items() if name not in extra}


def load_strictly(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Loads all tensors into all places of a recognizer.

    Counters of batch norms may be missing, as they are in files from before torch
    0.4.1.

    Raises:
        ValueError: Something is missing, left over or of another shape. The
            message names the keys of the config.
    """
    own = model.state_dict()
    missing, unexpected, mismatched = compare(own, tensors)
    if missing or unexpected or mismatched:
        faults = {
            'missing': missing,
            'without a place': unexpected,
            'of another shape': mismatched,
        }
        listed = [f'{shorten(v)} {k}' for k, v in faults.items() if v]
        raise ValueError(
            f'the checkpoint does not fit the model: {"; ".join(listed)}. '
            f'{_advise(own, tensors)}'
        )
    model.load_state_dict(tensors, strict=True)


def _advise(own: dict, tensors: dict) -> str:
    """Says which keys of the config contradict the checkpoint."""
    ours, theirs = describe(own), describe(tensors)
    changes = [
        f'{key}={value!r} (now {ours[key]!r})'
        for key, value in theirs.items()
        if key in ours and ours[key] != value
    ]
    if changes:
        return f'Set {", ".join(changes)}, in the config or by --cfg-options'
    return 'Give a config whose model.backbone is the network of the checkpoint'


def describe(tensors: dict[str, Tensor]) -> dict[str, object]:
    """Returns what the tensors of a recognizer tell about its config."""
    found = {}
    for name, tensor in tensors.items():
        if name == 'cls_head.fc_cls.weight':
            found['model.cls_head.num_classes'] = tensor.size(0)
            found['model.cls_head.in_channels'] = tensor.size(1)
        elif name.endswith(('.tam.G.0.weight', '.offset_net.fc1.weight')):
            # (alpha * t, t) and (t, t)
            found['model.backbone.num_segments'] = tensor.size(1)
    blocks = _count_blocks(r'backbone\.layer(\d)\.(\d+)\.', tensors)
    is_deep = any('.conv3.' in name for name in tensors)
    for depth, (block, counts) in ResNet.arch_settings.items():
        if counts == blocks and (block is Bottleneck) == is_deep:
            found['model.backbone.depth'] = depth
    blocks = _count_blocks(r'backbone\.stages\.(\d)\.(\d+)\.', tensors)
    width = tensors.get('backbone.stages.0.0.gamma', ())
    for arch, options in TAdaConvNeXtV2.arch_settings.items():
        if options['depths'] == blocks and options['channels'][0] == len(width):
            found['model.backbone.arch'] = arch
    return found


def _count_blocks(pattern: str, names: dict) -> tuple[int, ...]:
    """Counts the blocks of each stage."""
    last = {}
    for match in filter(None, (re.match(pattern, name) for name in names)):
        stage, block = int(match[1]), int(match[2])
        last[stage] = max(block, last.get(stage, 0))
    return tuple(last[stage] + 1 for stage in sorted(last))
