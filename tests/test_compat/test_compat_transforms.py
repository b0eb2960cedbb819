"""Colours of ColorJitter are those that it had before numpy 2."""

import cv2
import numpy as np
import pytest
from mmaction.datasets.transforms import ColorJitter


@pytest.mark.parametrize('factor', [-0.5, -0.1, 0, 0.1, 0.5])
def test_hues_turn_by_an_offset(factor):
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv = [[[(int(h) + int(factor * 255)) % 180, s, v] for h, s, v in r] for r in hsv]
    expected = cv2.cvtColor(np.array(hsv, np.uint8), cv2.COLOR_HSV2RGB)
    found = ColorJitter.adjust_hue(image.astype(np.float32), factor)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
