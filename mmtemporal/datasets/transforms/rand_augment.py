"""Random augmentation of clips, the same for all frames."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Optional

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image, ImageEnhance, ImageOps

from mmtemporal.checks import check_integer, check_number, check_numbers
from mmtemporal.registry import TRANSFORMS

_MAXIMUM = 10

# An operation takes a frame, its strength, 0 to 1, with a sign, and the fill colour.
_Operation = Callable[[Image.Image, float, tuple], Image.Image]


def _enhance(kind: Any, image: Image.Image, s: float, fill: tuple) -> Image.Image:
    return kind(image).enhance(1 + 0.9 * s)


def _affine(image: Image.Image, fill: tuple, *matrix: float) -> Image.Image:
    return image.transform(
        image.size,
        Image.Transform.AFFINE,
        matrix,
        Image.Resampling.BICUBIC,
        fillcolor=fill,
    )


def _add_to_dark(image: Image.Image, s: float, fill: tuple) -> Image.Image:
    values = np.arange(256)
    values = np.where(values < 128, values + int(110 * abs(s)), values)
    return image.point([*map(int, values)] * 3)


_OPERATIONS: dict[str, _Operation] = {
    'auto_contrast': lambda x, s, fill: ImageOps.autocontrast(x),
    'equalize': lambda x, s, fill: ImageOps.equalize(x),
    'invert': lambda x, s, fill: ImageOps.invert(x),
    'rotate': lambda x, s, fill: x.rotate(
        30 * s, Image.Resampling.BICUBIC, fillcolor=fill
    ),
    # One bit remains, as a frame without any is black.
    'posterize': lambda x, s, fill: ImageOps.posterize(x, max(4 - int(4 * abs(s)), 1)),
    'solarize': lambda x, s, fill: ImageOps.solarize(x, 256 - int(256 * abs(s))),
    'solarize_add': _add_to_dark,
    'color': partial(_enhance, ImageEnhance.Color),
    'contrast': partial(_enhance, ImageEnhance.Contrast),
    'brightness': partial(_enhance, ImageEnhance.Brightness),
    'sharpness': partial(_enhance, ImageEnhance.Sharpness),
    'shear_x': lambda x, s, fill: _affine(x, fill, 1, 0.3 * s, 0, 0, 1, 0),
    'shear_y': lambda x, s, fill: _affine(x, fill, 1, 0, 0, 0.3 * s, 1, 0),
    'translate_x': lambda x, s, fill: _affine(
        x, fill, 1, 0, 0.45 * s * x.width, 0, 1, 0
    ),
    'translate_y': lambda x, s, fill: _affine(
        x, fill, 1, 0, 0, 0, 1, 0.45 * s * x.height
    ),
}


@TRANSFORMS.register_module()
class RandAugment(BaseTransform):
    """Change colours and positions of a clip by a few random operations.

    It is the augmentation of TAdaConvNeXtV2 and TAdaFormer in Temporally-Adaptive
    Models for Efficient Video Understanding, https://arxiv.org/abs/2308.05787, after
    RandAugment, https://arxiv.org/abs/1909.13719. MMAction2 has it only through
    packages that do not work with every PyTorch, and not with these operations.

    ``num_ops`` times one of 15 operations is drawn, and done with the probability
    ``prob``. Each has more effect with a larger magnitude, which is normally
    distributed. Operation, magnitude and sign are those of all frames of the clip.

    Required Keys:

        - imgs: frames (h, w, 3), RGB of 0 to 255 (uint8)

    Modified Keys:

        - imgs

    Args:
        fill: RGB, 0 to 255, of what is outside of a moved frame; a mean, which need not
            be whole, is rounded.
        num_ops: How many operations are drawn.
        magnitude: Mean of their magnitudes, 0 to 10.
        magnitude_std: Standard deviation of the magnitudes.
        prob: Probability of each of the drawn operations.

    Raises:
        ValueError: An argument is out of bounds, or the frames are others.
    """

    def __init__(
        self,
        *,
        fill: Sequence[float],
        num_ops: int = 4,
        magnitude: float = 9,
        magnitude_std: float = 0.5,
        prob: float = 0.5,
    ) -> None:
        check_numbers('RandAugment.fill', fill, 3)
        if not all(0 <= value <= 255 for value in fill):
            raise ValueError(f'got RandAugment.fill={fill!r}, expected RGB of 0 to 255')
        check_integer('RandAugment.num_ops', num_ops)
        for name, value, maximum in (
            ('magnitude', magnitude, _MAXIMUM),
            ('magnitude_std', magnitude_std, _MAXIMUM),
            ('prob', prob, 1),
        ):
            check_number(f'RandAugment.{name}', value, minimum=0)
            if value > maximum:
                raise ValueError(
                    f'got RandAugment.{name}={value}, expected at most {maximum}'
                )
        self.fill = tuple(round(value) for value in fill)
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.magnitude_std = magnitude_std
        self.prob = prob

    def transform(self, results: dict) -> Optional[dict]:
        """Return the results with other frames."""
        for frame in results['imgs']:
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
                raise ValueError(
                    f'RandAugment got a frame of shape {frame.shape} and '
                    f'{frame.dtype}, expected (h, w, 3) and uint8; put it behind the '
                    'decoding of RGB frames and in front of steps that change their '
                    'type or layout'
                )
        images = [Image.fromarray(frame) for frame in results['imgs']]
        names = np.random.choice([*_OPERATIONS], self.num_ops)
        for name, draw in zip(names, np.random.random(self.num_ops)):
            if draw >= self.prob:
                continue
            strength = np.random.normal(self.magnitude, self.magnitude_std) / _MAXIMUM
            strength = np.clip(strength, 0, 1) * np.random.choice((-1, 1))
            operation = _OPERATIONS[name]
            images = [operation(image, strength, self.fill) for image in images]
        results['imgs'] = [np.array(image) for image in images]
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(fill={self.fill}, num_ops={self.num_ops}, '
            f'magnitude={self.magnitude}, magnitude_std={self.magnitude_std}, '
            f'prob={self.prob})'
        )
