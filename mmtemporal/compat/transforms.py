"""Fix for a transform that relies on how numpy used to add integers."""

from typing import Any

import numpy as np

from .on_import import change_module

TRANSFORMS = 'mmaction.datasets.transforms.processing'


def _adjust_hue(img: np.ndarray, factor: float) -> np.ndarray:
    import cv2  # which importing this package alone does not need

    img = np.clip(img, 0, 255).astype(np.uint8)
    hsv = cv2.cvtColor(img, cv2.COLOR_RGB2HSV)
    # The hue has 180 steps, so that its sum with an offset can exceed eight bits.
    hsv[..., 0] = (hsv[..., 0].astype(np.int16) + int(factor * 255)) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)


def _replace_adjust_hue(module: Any) -> None:
    module.ColorJitter.adjust_hue = staticmethod(_adjust_hue)


def widen_hue() -> bool:
    """Let ``ColorJitter`` turn the hue of images.

    Symptom: ``Python integer -16 out of bounds for uint8`` in training; where the
    offset is positive, wrong colours and no error.
    Cause: numpy 2 keeps the eight bits of an array that an integer is added to.
    Acts when: numpy is 2 or newer. Colours are then those of numpy 1.
    """
    if int(np.__version__.split('.')[0]) < 2:
        return False
    return change_module(TRANSFORMS, _replace_adjust_hue)
