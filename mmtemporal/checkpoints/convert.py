"""Recognises a foreign state dict and renames it."""

import re
from collections.abc import Iterable, Sequence
from typing import Callable, NamedTuple, Optional

import torch
from torch import Tensor

from . import tada2d, tada_convnext, tanet, tdn, tin


class Format(NamedTuple):
    """A kind of state dict.

    Attributes:
        name: What it is, for messages.
        recognises: Whether a name, without ``module.``, occurs in this kind only.
        rename: Returns our name of a tensor, or None if the kind has no such name.
        prepare: Gives the tensors, under their old names, our shapes.
    """

    name: str
    recognises: Callable[[str], bool]
    rename: Callable[[str], Optional[str]]
    prepare: Callable[[dict], dict] = dict


def _each(reshape: Callable[[str, Tensor], Tensor]) -> Callable[[dict], dict]:
    """Applies a function of a name and a tensor to all tensors of a dict."""
    return lambda tensors: {name: reshape(name, x) for name, x in tensors.items()}


def _keep_name(name: str) -> Optional[str]:
    """Returns the name of a recognizer's tensor as it is."""
    return name if name.startswith(('backbone.', 'cls_head.')) else None


def _is_own(name: str) -> bool:
    """Tells whether a name belongs to a TDN or TAda recognizer of this package."""
    return re.match(r'backbone\..*\.(ltdm|routing)\.', name) is not None


_FORMATS = (
    Format('TANet of its authors', tanet.is_official, tanet.rename_official),
    Format('TIN of its authors', tin.is_official, tin.rename_official),
    Format('TDN of its authors', tdn.is_official, tdn.rename_official, tdn.fold_biases),
    Format(
        'TAda2D of its authors',
        tada2d.is_official,
        tada2d.rename_official,
        _each(tada2d.reshape_official),
    ),
    Format(
        'TAdaConvNeXt of its authors',
        tada_convnext.is_official,
        tada_convnext.rename_official,
        _each(tada_convnext.reshape_official),
    ),
    Format('TANet of the MMAction2 zoo', tanet.is_zoo, _keep_name),
    Format('TIN of the MMAction2 zoo', tin.is_zoo, _keep_name),
    Format('a network of this package', _is_own, _keep_name),
)

_CLASSIFIER = ('cls_head.fc_cls.weight', 'cls_head.fc_cls.bias')


def convert_state_dict(
    state_dict: dict[str, Tensor], class_order: Optional[Sequence[int]] = None
) -> dict[str, Tensor]:
    """Renames the tensors of a foreign checkpoint to those of a whole recognizer.

    Known are the releases of the authors of TAM (``liu-zhy/temporal-adaptive-module``),
    TIN (``deepcs233/TIN``, X-Temporal), TDN (``MCG-NJU/TDN``) and TAda
    (``alibaba-mmai-research/TAdaConv``), and the TANet and TIN checkpoints of
    MMAction2's model zoo, whose names are ours. Our own are returned as they are.

    Args:
        state_dict: Tensors by name, with or without the ``module.`` of a
            multi-GPU run; or a checkpoint that holds them as ``'state_dict'``
            or ``'model_state'``.
        class_order: ``class_order[i]`` is the foreign index of our i-th class.
            The authors' label script for Something-Something V1 sorts the
            classes by name, MMAction2's lists keep the order of the data set;
            which of the two a published checkpoint has is not recorded, so
            evaluate both.

    Returns:
        The tensors under ``backbone.*`` and ``cls_head.*``, fit for a
        strict load into the recognizer of ``configs/_base_/models`` with the
        depth, number of segments and number of classes of the checkpoint.

    Raises:
        ValueError: The format is not known, a tensor has no place, or
            ``class_order`` is no permutation of the classes.
    """
    tensors = state_dict.get('state_dict', state_dict.get('model_state', state_dict))
    tensors = {name.removeprefix('module.'): value for name, value in tensors.items()}
    kind = recognise(tensors)
    tensors = kind.prepare(tensors)
    converted = {kind.rename(name): value for name, value in tensors.items()}
    if None in converted:
        strange = [name for name in tensors if kind.rename(name) is None]
        raise ValueError(
            f'a checkpoint of {kind.name} has no tensors such as {strange[:3]}; '
            f'{len(strange)} of {len(tensors)} cannot be placed'
        )
    if class_order is not None:
        _reorder_classes(converted, class_order)
    return converted


def recognise(tensors: Iterable[str]) -> Format:
    """Returns the kind of state dict that has such names.

    Raises:
        ValueError: None has.
    """
    for kind in _FORMATS:
        if any(kind.recognises(name) for name in tensors):
            return kind
    raise ValueError(
        f'unknown checkpoint format: {len(tensors)} tensors, the first named '
        f'{list(tensors)[:3]}; known are {", ".join(kind.name for kind in _FORMATS)}'
    )


def _reorder_classes(converted: dict, class_order: Sequence[int]) -> None:
    num_classes = len(converted[_CLASSIFIER[1]])
    if sorted(class_order) != list(range(num_classes)):
        raise ValueError(
            f'class_order must hold each of the {num_classes} class indices of the '
            f'checkpoint once, got {len(class_order)} numbers'
        )
    index = torch.as_tensor(class_order)
    for name in _CLASSIFIER:
        converted[name] = converted[name][index]
