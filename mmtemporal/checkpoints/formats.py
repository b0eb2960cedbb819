"""The kinds of state dicts, and by which names they are recognised."""

import re
from collections.abc import Mapping, Sequence
from typing import Callable, NamedTuple, Optional

from torch import Tensor

from . import tada2d, tada_convnext, tada_former, tanet, tdn, tin
from .wrapped_backbone import current_name


class Format(NamedTuple):
    """A kind of state dict.

    Attributes:
        name: What it is, for messages.
        sources: Who writes such files, in short.
        recognises: Whether a name, without ``module.``, occurs in this kind only.
        rename: Return our name of a tensor, or None if the kind has no such name.
            Missing for image networks, which are not renamed here.
        prepare: Give the tensors, under their old names, our shapes.
        is_unused: Whether a name belongs to a tensor that does nothing.
    """

    name: str
    sources: tuple[str, ...]
    recognises: Callable[[str], bool]
    rename: Optional[Callable[[str], Optional[str]]] = None
    prepare: Callable[[dict], dict] = dict
    is_unused: Callable[[str], bool] = lambda name: False


def _each(reshape: Callable[[str, Tensor], Tensor]) -> Callable[[dict], dict]:
    """Apply a function of a name and a tensor to all tensors of a dict."""
    return lambda tensors: {name: reshape(name, x) for name, x in tensors.items()}


def _keep_name(name: str) -> Optional[str]:
    """Return the name of a recognizer's tensor as it is."""
    return name if name.startswith(('backbone.', 'cls_head.')) else None


def _keep_own(name: str) -> Optional[str]:
    """Return the name of a recognizer's tensor as it is, or as an old one is today."""
    return _keep_name(current_name(name))


def _is_constant(name: str) -> bool:
    """Whether a name is of the mean or std of a config, as old files have it."""
    return name in ('data_preprocessor.mean', 'data_preprocessor.std')


def _is_own(name: str) -> bool:
    """Whether a name belongs to a TDN or TAda recognizer of this package."""
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
        'TAdaFormer of its authors',
        ('authors',),
        tada_former.is_official,
        tada_former.rename_official,
        _each(tada_former.reshape_official),
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
    Format('a network of this package', (), _is_own, _keep_own),
)


def _has(pattern: str) -> Callable[[str], bool]:
    return lambda name: re.match(pattern, name) is not None


def _unwrap(name: str) -> Optional[str]:
    """Return a recognizer's name of a tensor, without the wrapper of TSM's shift."""
    if name.startswith('cls_head.'):
        return name
    if name.startswith('data_preprocessor.'):
        return None
    return f'backbone.{name.removeprefix("backbone.").replace(".net.", ".")}'


# What initialises a backbone; the backbones rename the tensors themselves.
PRETRAINED = (
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
    Format(
        'an image transformer of timm',
        ('timm', 'open_clip'),
        _has(r'(visual\.trunk\.)?blocks\.\d+\.attn\.qkv\.weight$'),
    ),
    Format(
        'an image transformer or CLIP of mmpretrain',
        ('mmpretrain',),
        _has(r'((backbone|visual)\.)?layers\.\d+\.ffn\.layers\.0\.0\.weight$'),
    ),
    # Behind those two, whose text towers may have such names.
    Format(
        'a CLIP of OpenAI or open_clip',
        ('openai', 'open_clip'),
        _has(r'(visual\.)?transformer\.resblocks\.\d+\.attn\.in_proj_weight$'),
    ),
    Format(
        'a CLIP of transformers',
        ('transformers',),
        _has(r'((vision|text)_model\.)?encoder\.layers\.\d+\.layer_norm1\.weight$'),
    ),
)


def recognise(tensors: Mapping, formats: Sequence[Format] = FORMATS) -> Format:
    """Return the kind of state dict that has such names.

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
