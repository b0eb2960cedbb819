"""Whether a state dict fits the recognizer of a config, and what to change there."""

import re
from pathlib import Path
from typing import Optional

from mmaction.apis import init_recognizer
from mmengine import Config
from torch import Tensor, nn

from .files import read_checkpoint
from .on_load import convert_if_third_party
from .report import compare
from .segments import depends_on_segments

# Blocks of each stage, and whether they have a third convolution, by depth.
_DEPTHS = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
# Blocks of each stage, and channels of the first, by arch.
_ARCHS = {
    'tiny': ((3, 3, 9, 3), 96),
    'small': ((3, 3, 27, 3), 96),
    'base': ((3, 3, 27, 3), 128),
}
# Constants of the config, which old checkpoints hold among the weights.
_CONSTANTS = ('data_preprocessor.mean', 'data_preprocessor.std')


def build_model(config: Path, options: Optional[dict] = None) -> nn.Module:
    """Build the recognizer of a config, and loads nothing that the config names.

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
    """Build the recognizer of a config and loads a whole trained checkpoint.

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
    content = convert_if_third_party(
        read_checkpoint(checkpoint, allow_pickle), checkpoint
    )
    model = build_model(config, options)
    try:
        load_strictly(model, clean(find_state_dict(content, checkpoint), model))
    except ValueError as error:
        raise ValueError(f'{checkpoint} and {config}: {error}') from error
    return model


def find_state_dict(content: object, source: Path) -> dict[str, Tensor]:
    """Return the weights that a checkpoint of mmengine holds.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(content, dict) or 'state_dict' not in content:
        raise ValueError(f'{source} is no checkpoint of mmengine: it has no state_dict')
    return content['state_dict']


def clean(state_dict: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Remove what other versions and wrappers add to the weights of a model."""
    tensors = {name.removeprefix('module.'): x for name, x in state_dict.items()}
    known = model.state_dict()
    extra = [name for name in _CONSTANTS if name not in known]
    return {name: x for name, x in tensors.items() if name not in extra}


def load_strictly(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load all tensors into all places of a recognizer.

    Counters of batch norms may be missing, as they are in files from before torch
    0.4.1.

    Raises:
        ValueError: Something is missing, unexpected or mismatched. The message names
            the keys of the config.
    """
    own = model.state_dict()
    report = compare(own, tensors)
    if report.faults():
        hint = ''
        if depends_on_segments(report.mismatched):
            hint = (
                '; or convert the checkpoint by tools/convert_checkpoint.py '
                '--num-segments'
            )
        raise ValueError(
            f'the checkpoint does not fit the model: {report.faults()}. '
            f'{_advise(own, tensors)}{hint}'
        )
    model.load_state_dict(tensors, strict=True)


def _advise(own: dict, tensors: dict) -> str:
    """Say which keys of the config contradict the checkpoint."""
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
    """Return what the tensors of a recognizer tell about its config."""
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
    for depth, counts in _DEPTHS.items():
        if counts == (blocks, is_deep):
            found['model.backbone.depth'] = depth
    blocks = _count_blocks(r'backbone\.stages\.(\d)\.(\d+)\.', tensors)
    width = len(tensors.get('backbone.stages.0.0.gamma', ()))
    for arch, counts in _ARCHS.items():
        if counts == (blocks, width):
            found['model.backbone.arch'] = arch
    return found


def _count_blocks(pattern: str, names: dict) -> tuple[int, ...]:
    """Count the blocks of each stage."""
    last = {}
    for match in filter(None, (re.match(pattern, name) for name in names)):
        stage, block = int(match[1]), int(match[2])
        last[stage] = max(block, last.get(stage, 0))
    return tuple(last[stage] + 1 for stage in sorted(last))
