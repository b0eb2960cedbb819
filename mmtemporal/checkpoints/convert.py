"""Recognises a foreign state dict and renames it."""

import re
from collections.abc import Mapping, Sequence
from typing import Callable, NamedTuple, Optional

import torch
from torch import Tensor

from . import tada2d, tada_convnext, tanet, tdn, tin

# Under which names a checkpoint may hold its tensors.
_CONTAINERS = ('state_dict', 'model_state', 'model')


class Format(NamedTuple):
    """A kind of state dict.

    Attributes:
        name: What it is, for messages.
        sources: Who writes such files, in short.
        recognises: Whether a name, without ``module.``, occurs in this kind only.
        rename: Returns our name of a tensor, or None if the kind has no such name.
            Missing if the kind is a start, which is not renamed here.
        prepare: Gives the tensors, under their old names, our shapes.
        is_unused: Whether a name belongs to a tensor that does nothing.
    """

    name: str
    sources: tuple[str, ...]
    recognises: Callable[[str], bool]
    rename: Optional[Callable[[str], Optional[str]]] = None
    prepare: Callable[[dict], dict] = dict
    is_unused: Callable[[str], bool] = lambda name: False


class Conversion(NamedTuple):
    """A state dict in our names, and what became of the old one.

    Attributes:
        format: What the old one is.
        tensors: The tensors by our names.
        old_names: The old name of each.
        reshaped: The old names of those that changed their shape.
        folded: Old names of tensors that became part of others.
        skipped: Old names of tensors that do nothing.
    """

    format: Format
    tensors: dict[str, Tensor]
    old_names: dict[str, str]
    reshaped: list[str]
    folded: list[str]
    skipped: list[str]

    def __str__(self) -> str:
        parts = [f'{len(self.tensors)} tensors loaded']
        for verb in ('reshaped', 'folded', 'skipped'):
            names = getattr(self, verb)
            if names:
                parts.append(f'{verb.replace("_", " ")} {shorten(names)}')
        return f'{self.format.name}: {", ".join(parts)}'


def shorten(names: Sequence[str]) -> str:
    """Says how many names there are and gives the first two."""
    return f'{len(names)} ({", ".join(names[:2])}{", ..." * (len(names) > 2)})'


def _each(reshape: Callable[[str, Tensor], Tensor]) -> Callable[[dict], dict]:
    """Applies a function of a name and a tensor to all tensors of a dict."""
    return lambda tensors: {name: reshape(name, x) for name, x in tensors.items()}


def _keep_name(name: str) -> Optional[str]:
    """Returns the name of a recognizer's tensor as it is."""
    return name if name.startswith(('backbone.', 'cls_head.')) else None


def _is_constant(name: str) -> bool:
    """Tells whether a name is of the mean or std of a config, as old files have it."""
    return name in ('data_preprocessor.mean', 'data_preprocessor.std')


def _is_own(name: str) -> bool:
    """Tells whether a name belongs to a TDN or TAda recognizer of this package."""
    return re.match(r'backbone\.(diff_|.*\.(ltdm|shift|routing)\.)', name) is not None


FORMATS = (
    Format(
        'TANet of its authors', ('authors',), tanet.is_official, tanet.rename_official
    ),
    Format('TIN of its authors', ('authors',), tin.is_official, tin.rename_official),
    Format(
        'TDN of its authors',
        ('authors',),
        tdn.is_official,
        tdn.rename_official,
        tdn.fold_biases,
        tdn.is_unused,
    ),
    Format(
        'TAda2D of its authors',
        ('authors',),
        tada2d.is_official,
        tada2d.rename_official,
        _each(tada2d.reshape_official),
    ),
    Format(
        'TAdaConvNeXt of its authors',
        ('authors',),
        tada_convnext.is_official,
        tada_convnext.rename_official,
        _each(tada_convnext.reshape_official),
    ),
    Format(
        'TANet of the MMAction2 zoo',
        ('zoo',),
        tanet.is_zoo,
        _keep_name,
        is_unused=_is_constant,
    ),
    Format(
        'TIN of the MMAction2 zoo',
        ('zoo',),
        tin.is_zoo,
        _keep_name,
        is_unused=_is_constant,
    ),
    Format('a network of this package', (), _is_own, _keep_name),
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
    return convert(state_dict, class_order).tensors


def convert(
    checkpoint: dict, class_order: Optional[Sequence[int]] = None
) -> Conversion:
    """Does what :func:`convert_state_dict` does, and tells how."""
    source = find_tensors(checkpoint)
    kind = recognise(source)
    _check_tensors(source)
    skipped = [name for name in source if kind.is_unused(name)]
    prepared = kind.prepare({k: v for k, v in source.items() if k not in skipped})
    new_names = {name: kind.rename(name) for name in prepared}
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
        reshaped=[k for k, x in prepared.items() if x.shape != source[k].shape],
        folded=[k for k in source if k not in prepared and k not in skipped],
        skipped=skipped,
    )


def find_tensors(checkpoint: dict) -> dict[str, Tensor]:
    """Returns the state dict in a checkpoint, without the ``module.`` of its names.

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
        raise ValueError(f'expected nothing but tensors, not so {shorten(others)}')


def recognise(tensors: Mapping, formats: Sequence[Format] = FORMATS) -> Format:
    """Returns the kind of state dict that has such names.

    Raises:
        ValueError: None has.
    """
    for kind in formats:
        if any(kind.recognises(name) for name in tensors):
            return kind
    raise ValueError(
        f'unknown checkpoint format: {len(tensors)} tensors, the first named '
        f'{list(tensors)[:3]}; known are {", ".join(kind.name for kind in formats)}'
    )


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
