"""Rename a third-party state dict."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

import torch
from torch import Tensor

from .formats import Format, recognise
from .report import Report, summarise

# Under which names a checkpoint may hold its tensors.
_CONTAINERS = ('state_dict', 'model_state', 'model')
_CLASSIFIER = ('cls_head.fc_cls.weight', 'cls_head.fc_cls.bias')


class Conversion(NamedTuple):
    """A state dict in our names, and what became of the old one.

    Attributes:
        format: What the old one is.
        tensors: The tensors by our names.
        old_names: The old name of each.
        report: What was done, by old names.
    """

    format: Format
    tensors: dict[str, Tensor]
    old_names: dict[str, str]
    report: Report


def convert_state_dict(
    state_dict: dict[str, Tensor], class_order: Optional[Sequence[int]] = None
) -> dict[str, Tensor]:
    """Rename the tensors of a third-party checkpoint to those of a whole recognizer.

    Known are the releases of the authors of TAM (``liu-zhy/temporal-adaptive-module``),
    TIN (``deepcs233/TIN``, X-Temporal), TDN (``MCG-NJU/TDN``) and TAda
    (``alibaba-mmai-research/TAdaConv``), and the TANet and TIN checkpoints of
    MMAction2's model zoo, whose names are ours. Our own are returned as they are.

    Args:
        state_dict: Tensors by name, with or without the ``module.`` of a
            multi-GPU run; or a checkpoint that holds them as ``'state_dict'``
            or ``'model_state'``.
        class_order: ``class_order[i]`` is the index there of our i-th class.
            The authors' label script for Something-Something V1 sorts the
            classes by name, MMAction2's lists keep the order of the data set;
            which of the two a published checkpoint has is not recorded, so
            evaluate both.

    Returns:
        The tensors under ``backbone.*`` and ``cls_head.*``, fit for a
        strict load into the recognizer of ``configs/_base_/models`` with the
        depth, number of segments and number of classes of the checkpoint.

    Raises:
        ValueError: The format is not known, a tensor has no counterpart, or
            ``class_order`` is no permutation of the classes.
    """
    return convert(state_dict, class_order).tensors


def convert(
    checkpoint: dict, class_order: Optional[Sequence[int]] = None
) -> Conversion:
    """Do what :func:`convert_state_dict` does, and report how."""
    source = find_tensors(checkpoint)
    kind = recognise(source)
    _check_tensors(source)
    skipped = [name for name in source if kind.is_unused(name)]
    prepared = kind.prepare({k: v for k, v in source.items() if k not in skipped})
    new_names: dict = {name: kind.rename(name) for name in prepared}  # type: ignore[misc]
    strange = [name for name, new in new_names.items() if new is None]
    if strange:
        raise ValueError(
            f'a checkpoint of {kind.name} has no tensors such as {strange[:3]}; '
            f'{len(strange)} of {len(source)} cannot be placed'
        )
    tensors = {new_names[name]: tensor for name, tensor in prepared.items()}
    if class_order is not None:
        _reorder_classes(tensors, class_order)
    return Conversion(
        format=kind,
        tensors=tensors,
        old_names={new: name for name, new in new_names.items()},
        report=Report(
            loaded=[*prepared],
            reshaped=[k for k, x in prepared.items() if x.shape != source[k].shape],
            folded=[k for k in source if k not in prepared and k not in skipped],
            skipped=skipped,
        ),
    )


def find_tensors(checkpoint: dict) -> dict[str, Tensor]:
    """Return the state dict in a checkpoint, without the ``module.`` of its names.

    Raises:
        ValueError: There is none.
    """
    found = checkpoint
    if isinstance(checkpoint, Mapping):
        held = [key for key in _CONTAINERS if key in checkpoint]
        found = checkpoint[held[0]] if held else checkpoint
    if not isinstance(found, Mapping) or not all(isinstance(k, str) for k in found):
        raise ValueError(
            f'expected tensors by name, on their own or as one of {[*_CONTAINERS]}, '
            f'got a {type(found).__name__}; of a whole network, save its state_dict()'
        )
    return {name.removeprefix('module.'): value for name, value in found.items()}


def _check_tensors(tensors: dict) -> None:
    others = [k for k, v in tensors.items() if not isinstance(v, Tensor)]
    if others:
        raise ValueError(f'expected nothing but tensors, not so {summarise(others)}')


def _reorder_classes(converted: dict, class_order: Sequence[int]) -> None:
    if _CLASSIFIER[1] not in converted:
        raise ValueError('class_order is given, but the checkpoint has no classifier')
    num_classes = len(converted[_CLASSIFIER[1]])
    if sorted(class_order) != list(range(num_classes)):
        raise ValueError(
            f'class_order must hold each of the {num_classes} class indices of the '
            f'checkpoint once, got {len(class_order)} numbers'
        )
    index = torch.as_tensor(class_order)
    for name in _CLASSIFIER:
        converted[name] = converted[name][index]
