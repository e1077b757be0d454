"""Prompts drawn into the maps that the prompt network reads; coordinates are in pixels of the region."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.types import Mask, RealBox

CLICK_RADIUS = 5 / 256
"""Radius of the disc that a click is drawn as, over the region's side."""

PromptMaps = NDArray[np.float32]
"""(5, S, S) in [0, 1]: positive clicks, negative clicks, box, mask so far, and where the region lies in the picture."""

POSITIVE, NEGATIVE, BOX, MASK, INSIDE = range(5)

Map = NDArray[np.float32]


def click_radius(side: int) -> int:
    """Return pixels of a click's radius in a region of `side` pixels."""
    return max(2, round(side * CLICK_RADIUS))


def draw_clicks(canvas: Map, clicks: Iterable[tuple[float, float]]) -> None:
    """Set discs round clicks, pixels (x, y), to 1, in place."""
    radius = click_radius(canvas.shape[0])
    for x, y in clicks:
        cv2.circle(canvas, (round(x), round(y)), radius, 1.0, -1)


def draw_stroke(canvas: Map, path: Sequence[tuple[float, float]], radius: float) -> None:
    """Set a line through pixels (x, y) to 1, in place."""
    points = np.array([[round(x), round(y)] for x, y in path], np.int32)
    width = max(round(2 * radius), click_radius(canvas.shape[0]))
    if len(points) == 1:
        cv2.circle(canvas, (int(points[0, 0]), int(points[0, 1])), max(width // 2, 1), 1.0, -1)
    else:
        cv2.polylines(canvas, [points], False, 1.0, width)


def draw_box(canvas: Map, box: RealBox) -> None:
    """Set a box to 1, in place."""
    x, y, width, height = box
    left, top = max(round(x), 0), max(round(y), 0)
    canvas[top : max(round(y + height), top + 1), left : max(round(x + width), left + 1)] = 1.0


def deepest(mask: Mask) -> tuple[int, int, float]:
    """Return the pixel of a mask that is farthest from its edge, and from the picture's.

    Returns:
        x, y and the distance in pixels; 0 for an empty mask.
    """
    distance = np.asarray(cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3))[1:-1, 1:-1]
    y, x = np.unravel_index(int(distance.argmax()), distance.shape)
    return int(x), int(y), float(distance[y, x])
