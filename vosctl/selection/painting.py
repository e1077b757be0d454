"""Strokes painted on a mask."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vosctl.prompts import Stroke
from vosctl.types import Mask


def painted_over(mask: Mask, strokes: Sequence[Stroke]) -> Mask:
    """Paint strokes on a mask, exact to the pixel, the later ones over the earlier."""
    if not strokes:
        return mask
    canvas = mask.astype(np.uint8)
    for stroke in strokes:
        points = np.array(np.round(stroke.path), np.int32)
        value = 1 if stroke.on_object else 0
        if len(points) > 1:
            cv2.polylines(canvas, [points], False, value, max(1, round(2 * stroke.radius)))
        for x, y in (points[0], points[-1]):
            cv2.circle(canvas, (int(x), int(y)), round(stroke.radius), value, -1)
    return canvas > 0
