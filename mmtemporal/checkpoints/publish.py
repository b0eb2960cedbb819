"""Make a file for others of a training checkpoint: weights and plain metadata."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, Optional

import mmaction
import mmengine
import numpy as np
import torch
from mmengine import Config
from mmengine.runner.checkpoint import weights_to_cpu
from torch import Tensor, nn

import mmtemporal
from mmtemporal.analysis import count_multiply_adds
from mmtemporal.datasets.input_shape import input_shape

from .files import read_checkpoint
from .fit import build_model, clean, find_state_dict, load_strictly


class Published(NamedTuple):
    """A published model.

    Attributes:
        file: Where it is.
        averaged: Whether its weights are the moving average over the training.
        cfg: Its config.
        shape: Shape of one input, without the batch.
        flops: Multiply-adds for one input of a recognizer, else None.
        parameters: Number of parameters.
    """

    file: Path
    averaged: bool
    cfg: Config
    shape: tuple[int, ...]
    flops: Optional[int]
    parameters: int


def publish_checkpoint(
    source: Path,
    config: Path,
    out_dir: Path,
    day: Optional[date] = None,
    force: bool = False,
    allow_pickle: bool = False,
) -> Published:
    """Write what inference needs of a training checkpoint to a new file.

    The file is named as in the OpenMMLab zoos, after the config, the day and the
    first eight digits of its own SHA-256. It holds the weights and, as ``meta``,
    the text of the config, versions and origin. Before it gets its name it is
    read back in torch's safe mode with no further class allowed, and must give
    the outputs that the training checkpoint gives, bit for bit.

    With ``EMAHook``, mmengine saves the averaged weights as ``state_dict`` and
    those that the optimizer works on as ``ema_state_dict``: the averaged ones are
    published.

    Args:
        source: Checkpoint of mmengine's runner.
        config: Config of the model; the checkpoint must fit it exactly.
        out_dir: Folder of the new file.
        day: Day in the name. Defaults to today.
        force: Whether a file of the same name is replaced.
        allow_pickle: Whether code that the checkpoint names may be run, see
            :func:`~mmtemporal.checkpoints.files.read_checkpoint`.

    Raises:
        ValueError: The checkpoint cannot be read, does not fit the config, or
            the written file does not give the same outputs.
        FileExistsError: There is a file of that name.
    """
    checkpoint: Any = read_checkpoint(source, allow_pickle)
    state_dict = find_state_dict(checkpoint, source)
    model = build_model(config)
    cfg = Config.fromfile(config)
    try:
        load_strictly(model, clean(state_dict, model))
    except ValueError as error:
        raise ValueError(f'{source} and {config}: {error}') from error
    content = dict(
        meta=_make_meta(checkpoint.get('meta', {}), cfg, config, source),
        state_dict=weights_to_cpu(model.state_dict()),
    )
    shape = input_shape(cfg)
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out_dir, prefix='.publish-') as folder:
        # torch stores this name in the file: with it the digest is reproducible.
        file = Path(folder) / f'{config.stem}.pth'
        torch.save(content, file)
        _check_outputs(file, config, model, torch.randn(1, *shape))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        day = day or date.today()
        target = out_dir / f'{config.stem}_{day:%Y%m%d}-{digest[:8]}.pth'
        _move(file, target, force)
    return Published(
        file=target,
        averaged='ema_state_dict' in checkpoint,
        cfg=cfg,
        shape=shape,
        flops=count_multiply_adds(model, 1, *shape) if _is_recognizer(model) else None,
        parameters=sum(p.numel() for p in model.parameters()),
    )


def _outputs(model: nn.Module, x: Tensor) -> list[Tensor]:
    with torch.no_grad():
        if _is_recognizer(model):
            return [model(x, stage='head')]
        return list(model(list(x), None, mode='tensor'))


def _is_recognizer(model: nn.Module) -> bool:
    return hasattr(model, 'cls_head')


def _check_outputs(file: Path, config: Path, model: nn.Module, x: Tensor) -> None:
    with _no_extra_classes():
        written = torch.load(file, map_location='cpu', weights_only=True)
    other = build_model(config)
    load_strictly(other, written['state_dict'])
    pairs = list(zip(_outputs(model, x), _outputs(other, x)))
    if not all(expected.isfinite().all() for expected, _ in pairs):
        raise ValueError('the outputs for a random input are not finite numbers')
    if not all(torch.equal(*pair) for pair in pairs):
        raise ValueError('the written file gives other outputs than the checkpoint')


@contextmanager
def _no_extra_classes() -> Iterator[None]:
    """Let ``torch.load`` read what it reads in a fresh process, and no more."""
    if not hasattr(torch.serialization, 'get_safe_globals'):  # torch 2.4
        yield
        return
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        yield
    finally:
        torch.serialization.add_safe_globals(allowed)


def _make_meta(old: dict, cfg: Config, config: Path, source: Path) -> dict:
    """Collect what a user of the file may ask; keys of mmengine keep their names."""
    meta = dict(
        cfg=cfg.pretty_text,
        config=config.stem,
        mmtemporal_version=mmtemporal.__version__,
        mmaction2_version=mmaction.__version__,
        mmengine_version=mmengine.__version__,
        torch_version=str(torch.__version__),
        source=source.name,
    )
    kept = ('epoch', 'iter', 'dataset_meta')
    return {**meta, **{key: _plain(old[key]) for key in kept if key in old}}


def _plain(value: Any) -> Any:
    """Turn containers and numpy values into types that torch always loads."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if value is None or type(value) in (str, int, float, bool):
        return value
    raise ValueError(
        f'the metadata of the checkpoint holds a {type(value).__name__}, expected '
        'numbers, texts, lists and dicts'
    )


def _move(file: Path, target: Path, force: bool) -> None:
    if target.exists() and not force:
        raise FileExistsError(f'{target} exists; pass --force to replace it')
    file.replace(target)
