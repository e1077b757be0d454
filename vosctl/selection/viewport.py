"""The part of a picture that the window shows: all of it, or a part of it enlarged."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vosctl.types import RGBImage

LARGEST_ZOOM = 16.0
STEP = 1.25
"""How much one step of the wheel enlarges."""


@dataclass(frozen=True, slots=True)
class Viewport:
    """A view of a picture of `width` x `height` pixels, shown at the same size.

    Attributes:
        width: of the picture and of what is shown, pixels.
        height: of the picture and of what is shown, pixels.
        x: the left edge of the part that is shown, in pixels of the picture.
        y: its upper edge.
        zoom: pixels shown for one of the picture, 1 or more.
    """

    width: int
    height: int
    x: float = 0.0
    y: float = 0.0
    zoom: float = 1.0

    def turned(self, x: float, y: float, up: bool) -> Viewport:
        """Return the view after a step of the wheel at a place shown, which stays where it is."""
        zoom = min(max(self.zoom * (STEP if up else 1 / STEP), 1.0), LARGEST_ZOOM)
        at_x, at_y = self.x + x / self.zoom, self.y + y / self.zoom
        left = min(max(at_x - x / zoom, 0.0), self.width - self.width / zoom)
        top = min(max(at_y - y / zoom, 0.0), self.height - self.height / zoom)
        return Viewport(self.width, self.height, left, top, zoom)

    def in_picture(self, x: float, y: float) -> tuple[float, float]:
        """Return where in the picture a place that is shown lies, no farther out than its outermost pixels."""
        there = self.x + (x + 0.5) / self.zoom - 0.5, self.y + (y + 0.5) / self.zoom - 0.5
        return min(max(there[0], 0.0), self.width - 1.0), min(max(there[1], 0.0), self.height - 1.0)

    def show(self, picture: RGBImage) -> RGBImage:
        """Return what is shown of a picture, (height, width, 3), of the same size."""
        if self.zoom == 1.0:
            return picture
        inverse = np.array(
            ((1 / self.zoom, 0, self.x + 0.5 / self.zoom - 0.5), (0, 1 / self.zoom, self.y + 0.5 / self.zoom - 0.5))
        )
        shown = cv2.warpAffine(
            picture,
            inverse,
            (self.width, self.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(shown, np.uint8)
