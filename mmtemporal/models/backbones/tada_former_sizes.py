"""Sizes of TAdaFormer, which are those of CLIP's image transformers."""

from collections.abc import Mapping, Sequence
from typing import Union

from mmtemporal.checks import are_integers, check_integer

# By the name in a config; the keys are mmpretrain's.
ARCHS: dict[str, dict[str, int]] = dict(
    base=dict(
        embed_dims=768,
        num_layers=12,
        num_heads=12,
        feedforward_channels=3072,
        patch_size=16,
    ),
    large=dict(
        embed_dims=1024,
        num_layers=24,
        num_heads=16,
        feedforward_channels=4096,
        patch_size=14,
    ),
)


def read_arch(arch: Union[str, dict]) -> dict[str, int]:
    """Return the sizes that ``backbone.arch`` names or lists.

    Raises:
        ValueError: It does neither, or they do not fit each other.
    """
    keys = ARCHS['base'].keys()
    if isinstance(arch, str):
        sizes = ARCHS.get(arch, {})
    else:
        sizes = dict(arch) if isinstance(arch, Mapping) else {}
    if sizes.keys() != keys or not are_integers([*sizes.values()], len(keys)):
        raise ValueError(
            f'backbone.arch={arch!r} is none of {[*ARCHS]}, and no dict of {[*keys]} '
            'with an integer each'
        )
    heads = sizes['num_heads']
    check_integer(
        'backbone.arch.embed_dims',
        sizes['embed_dims'],
        multiple=4 * heads,
        of=f'backbone.arch.num_heads={heads}, times 4',
    )
    return sizes


def read_size(img_size: Union[int, Sequence[int]], patch: int) -> tuple[int, int]:
    """Return the height and width that ``backbone.img_size`` says.

    Raises:
        ValueError: They are no multiples of the patch.
    """
    size = (img_size, img_size) if isinstance(img_size, int) else img_size
    if not are_integers(size, 2):
        raise ValueError(
            f'got backbone.img_size={img_size!r}, expected pixels, a '
            'positive number or two'
        )
    for side in size:
        check_integer(
            'backbone.img_size', side, multiple=patch, of='backbone.arch.patch_size'
        )
    height, width = size
    return height, width
