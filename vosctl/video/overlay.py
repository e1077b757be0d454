"""Objects drawn on the frame: a tint and a contour in a colour of their own."""

from __future__ import annotations

import colorsys
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.results import TrackedFrame, TrackedObject

RGB = tuple[int, int, int]

# The hues of the DAVIS palette in its order, brightened to stand out from a photograph; id 1 first.
_COLOURS: tuple[RGB, ...] = (
    (255, 56, 72),
    (48, 209, 88),
    (255, 204, 0),
    (48, 128, 255),
    (214, 64, 255),
    (0, 212, 228),
    (255, 136, 24),
    (150, 110, 255),
    (168, 224, 32),
    (255, 92, 168),
    (0, 184, 148),
    (196, 140, 92),
)
_TINT = 0.42
"""Share of the object's colour in the tinted pixels."""
_CONTOUR_PIXELS_PER_LINE = 1 / 360
"""Contour width over the frame's short side: 1 pixel at 240p, 3 at 1080p, 6 at 4K."""
_GOLDEN_RATIO = 0.618034


def object_colour(object_id: int) -> RGB:
    """The colour of an object, the same in every frame and run.

    Args:
        object_id: 1..255.

    Returns:
        Red, green and blue, 0..255: the hue of the id in the DAVIS palette while the twelve hand-picked ones last, then
        hues spread by the golden ratio.
    """
    if object_id <= len(_COLOURS):
        return _COLOURS[object_id - 1]
    turn = object_id - len(_COLOURS)
    saturation, value = ((0.75, 1.0), (0.55, 0.95), (0.9, 0.8))[turn % 3]
    red, green, blue = colorsys.hsv_to_rgb(turn * _GOLDEN_RATIO % 1.0, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def contour_width(height: int, width: int) -> int:
    """Width in pixels of the contours on a frame of `height` x `width` pixels."""
    return max(1, round(min(height, width) * _CONTOUR_PIXELS_PER_LINE))


@lru_cache(maxsize=256)
def _tint_table(colour: RGB) -> NDArray[np.uint8]:
    """(1, 256, 3) uint8: each channel's value after mixing with the colour."""
    mixed = np.arange(256)[:, None] * (1 - _TINT) + np.array(colour) * _TINT
    return np.rint(mixed).astype(np.uint8)[None]


def render_overlay(image: NDArray[np.uint8], result: TrackedFrame) -> NDArray[np.uint8]:
    """Draws the objects of a frame on a copy of it.

    Args:
        image: (H, W, 3) uint8 RGB, left as it is.
        result: labels and objects of the same frame; lost objects are not drawn.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    canvas: NDArray[np.uint8] = image.copy()
    # All tints before any contour, so that a neighbour's tint never covers a contour.
    outlines = [(object_colour(item.id), _tint(canvas, result.labels, item)) for item in result.objects if item.box]
    line_width = contour_width(*image.shape[:2])
    for colour, contours in outlines:
        cv2.drawContours(canvas, contours, -1, colour, line_width, cv2.LINE_AA)
    return canvas


def _tint(canvas: NDArray[np.uint8], labels: NDArray[np.uint8], item: TrackedObject) -> list[NDArray[np.int32]]:
    """Tints an object inside its box, in place, and returns its contours in the frame's coordinates."""
    if item.box is None:
        return []
    x, y, width, height = item.box
    window = canvas[y : y + height, x : x + width]
    mask = (labels[y : y + height, x : x + width] == item.id).view(np.uint8)
    cv2.copyTo(cv2.LUT(window, _tint_table(object_colour(item.id))), mask, window)
    # The approximation halves the segments to draw and takes the pixel steps out of the outline.
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_TC89_L1, offset=(x, y))
    return list(contours)
