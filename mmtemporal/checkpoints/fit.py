"""Whether a state dict fits the recognizer of a config, and what to change there."""

from pathlib import Path
from typing import Optional

from mmaction.apis import init_recognizer
from mmengine import Config
from torch import Tensor, nn

from .advice import advise
from .files import read_checkpoint
from .image_clip import find_clip
from .on_load import convert_if_third_party
from .report import compare
from .segments import depends_on_segments
from .wrapped_backbone import rename_host

# Constants of the config, which old checkpoints hold among the weights.
_CONSTANTS = ('data_preprocessor.mean', 'data_preprocessor.std')


def build_model(config: Path, options: Optional[dict] = None) -> nn.Module:
    """Build the recognizer of a config, and load nothing that the config names.

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
    """Build the recognizer of a config and load a whole trained checkpoint.

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
    """Remove or rename what other versions and wrappers did to names of a model."""
    tensors = {name.removeprefix('module.'): x for name, x in state_dict.items()}
    known = model.state_dict()
    extra = [name for name in _CONSTANTS if name not in known]
    tensors = rename_host(tensors, known)
    return {name: x for name, x in tensors.items() if name not in extra}


def load_strictly(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load a recognizer, all of whose tensors must be there and no others.

    Counters of batch norms may be missing, as they are in files from before torch
    0.4.1.

    Raises:
        ValueError: Something is missing, unexpected or mismatched. The message names
            the keys of the config.
    """
    own = model.state_dict()
    report = compare(own, tensors)
    clip = find_clip(model)
    if clip is not None:
        # What loading does to it, too.
        clip.place_positions(dict(tensors), report, 'backbone.')
    if report.faults():
        changes = clip.advice(tensors, own) if clip else advise(own, tensors, 'model.')
        hint = 'Give a config whose model.backbone is the network of the checkpoint'
        if changes:
            hint = f'Set {changes}, in the config or by --cfg-options'
        if depends_on_segments(report.mismatched):
            hint += ', or convert it by tools/convert_checkpoint.py --num-segments'
        raise ValueError(
            f'the checkpoint does not fit the model: {report.faults()}. {hint}'
        )
    model.load_state_dict(tensors, strict=True)
