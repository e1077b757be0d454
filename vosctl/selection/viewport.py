"""The part of a picture that the window shows: all of it, or a part of it enlarged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor

import cv2
import numpy as np

from vosctl.types import Point, RGBImage

LARGEST_ZOOM = 16.0
STEP = 1.25
"""How much one step of the wheel enlarges."""
LARGEST_WIDTH, LARGEST_HEIGHT = 1280, 800
"""Pixels on the screen that a picture has at first, at most; the user may enlarge the window."""
_LARGEST_SCALE = 16.0


@dataclass(frozen=True, slots=True)
class Viewport:
    """A view of a picture of `width` x `height` pixels.

    Attributes:
        width: of the picture, pixels.
        height: of the picture, pixels.
        scale: pixels shown for one of the picture where all of it is seen, 1 or more.
        x: the left edge of the part that is shown, in pixels of the picture.
        y: its upper edge.
        zoom: how much closer than that it is looked at, 1 or more.
    """

    width: int
    height: int
    scale: float = 1.0
    x: float = 0.0
    y: float = 0.0
    zoom: float = 1.0

    @classmethod
    def whole(cls, width: int, height: int) -> Viewport:
        """Return the view of all of a picture; a small one is enlarged, by a whole factor where that is two or more."""
        room = min(LARGEST_WIDTH / width, LARGEST_HEIGHT / height, _LARGEST_SCALE)
        scale = floor(room) if room >= 2 else floor(room * 4) / 4
        return cls(width, height, max(1.0, scale))

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height in pixels of what is shown."""
        return round(self.width * self.scale), round(self.height * self.scale)

    @property
    def magnification(self) -> float:
        """Pixels shown for one of the picture."""
        return self.scale * self.zoom

    def turned(self, x: float, y: float, up: bool) -> Viewport:
        """Return the view after a step of the wheel at a place shown, which stays where it is."""
        zoom = min(max(self.zoom * (STEP if up else 1 / STEP), 1.0), LARGEST_ZOOM)
        before, after = self.magnification, self.scale * zoom
        at_x, at_y = self.x + x / before, self.y + y / before
        left = min(max(at_x - x / after, 0.0), self.width - self.width / zoom)
        top = min(max(at_y - y / after, 0.0), self.height - self.height / zoom)
        return replace(self, x=left, y=top, zoom=zoom)

    def in_picture(self, x: float, y: float) -> tuple[float, float]:
        """Return where in the picture a place that is shown lies, no farther out than its outermost pixels."""
        size = self.magnification
        there = self.x + (x + 0.5) / size - 0.5, self.y + (y + 0.5) / size - 0.5
        return min(max(there[0], 0.0), self.width - 1.0), min(max(there[1], 0.0), self.height - 1.0)

    def on_screen(self, x: float, y: float) -> Point:
        """Return where a place of the picture is shown."""
        size = self.magnification
        return round((x + 0.5 - self.x) * size - 0.5), round((y + 0.5 - self.y) * size - 0.5)

    def show(self, picture: RGBImage) -> RGBImage:
        """Return what is shown of a picture, (height, width, 3), in the size of `shown`."""
        size = self.magnification
        if size == 1.0:
            return picture
        inverse = np.array(((1 / size, 0, self.x + 0.5 / size - 0.5), (0, 1 / size, self.y + 0.5 / size - 0.5)))
        shown = cv2.warpAffine(
            picture,
            inverse,
            self.shown,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(shown, np.uint8)
