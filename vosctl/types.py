"""The arrays and boxes that every part of vosctl exchanges: one definition each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""x, y, width, height in whole pixels; x and y are those of the upper left pixel."""

RealBox = tuple[float, float, float, float]
"""x, y, width, height in pixels, not rounded: a pixel's centre lies at +0.5."""

RGBImage = NDArray[np.uint8]
"""(H, W, 3) red, green, blue, 0..255."""

Mask = NDArray[np.bool_]
"""(H, W), True where the object is."""

SoftMask = NDArray[np.float32]
"""(H, W), each pixel's probability to be the object's, 0..1."""

Labels = NDArray[np.uint8]
"""(H, W), 0 for the background, else the id of the object that the pixel belongs to."""

Alpha = NDArray[np.uint8]
"""(H, W), opacity, 0..255."""

Point = tuple[int, int]
"""x, y in whole pixels."""

RGB = tuple[int, int, int]
"""A colour's red, green and blue, 0..255."""
