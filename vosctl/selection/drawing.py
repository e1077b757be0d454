"""One object being drawn on a picture that stands still: tools, strokes, and the mask they make."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import VosctlError
from vosctl.selection.events import Mouse
from vosctl.selection.grabcut import mask_from_box, mask_from_stroke, refine_mask
from vosctl.types import Box, Point

Tool = Literal["box", "stroke", "paint", "erase"]

TOOLS: dict[str, Tool] = {"b": "box", "s": "stroke", "p": "paint", "e": "erase"}
"""The key of each tool."""

_BRUSH = 1 / 60
"""Radius of the brush over the picture's shorter side."""
_HINTS: dict[Tool, str] = {
    "box": "Drag a box round the object",
    "stroke": "Draw a line round the object",
    "paint": "Paint over what is missing",
    "erase": "Paint over what is too much",
}


class ObjectDrawing:
    """The state of drawing one object.

    Attributes:
        image: (H, W, 3) uint8 RGB, the picture drawn on.
        object_id: 1..255.
        tool: what a drag does.
        mask: (H, W) bool, the object as it is now; None before the first box or stroke.
        path: points (x, y) of the drag in progress.
        message: what the user should know or do now.
        brush: radius in pixels.
    """

    def __init__(self, image: NDArray[np.uint8], object_id: int, mask: NDArray[np.bool_] | None = None) -> None:
        """Begin; with a mask, begin correcting it."""
        self.image = image
        self.object_id = object_id
        self.mask = mask
        self.path: list[Point] = []
        self.brush = max(3, round(min(image.shape[:2]) * _BRUSH))
        self.tool: Tool = "box" if mask is None else "paint"
        self.message = _HINTS[self.tool]

    def key(self, name: str) -> bool:
        """Choose a tool or start over. Whether the key meant anything here."""
        if name in TOOLS:
            tool = TOOLS[name]
            if tool in ("paint", "erase") and self.mask is None:
                self.message = f"{_HINTS['box']} first, then correct it"
                return True
            self.tool, self.path = tool, []
        elif name == "backspace":
            self.mask, self.tool, self.path = None, "box", []
        else:
            return False
        self.message = _HINTS[self.tool]
        return True

    def mouse(self, event: Mouse) -> None:
        """Follow a drag; its end makes or corrects the mask."""
        height, width = self.image.shape[:2]
        point = min(max(event.x, 0), width - 1), min(max(event.y, 0), height - 1)
        if event.action == "press":
            self.path = [point]
        elif self.path:
            self.path.append(point)
            if event.action == "release":
                self._finish()

    def box(self) -> Box:
        """x, y, width, height of the box being dragged."""
        (x0, y0), (x1, y1) = self.path[0], self.path[-1]
        return min(x0, x1), min(y0, y1), abs(x1 - x0) + 1, abs(y1 - y0) + 1

    def _finish(self) -> None:
        try:
            self.mask = self._made()
            self.message = "Enter takes it; p adds to it, e takes from it, or draw it anew"
        except VosctlError as error:
            self.message = str(error)
        self.path = []

    def _made(self) -> NDArray[np.bool_]:
        if self.tool == "box":
            return mask_from_box(self.image, self.box())
        if self.tool == "stroke" or self.mask is None:
            return mask_from_stroke(self.image, self.path)
        painted = _between(self.path, self.brush)
        added, removed = (painted, []) if self.tool == "paint" else ([], painted)
        return refine_mask(self.image, self.mask, added, removed, self.brush)


def _between(path: list[Point], step: int) -> list[Point]:
    """The path with no two neighbours farther apart than `step` pixels: a quick mouse leaves no gaps."""
    points = path[:1]
    for (x0, y0), (x1, y1) in pairwise(path):
        count = max(1, -(-max(abs(x1 - x0), abs(y1 - y0)) // step))
        points += [(x0 + (x1 - x0) * part // count, y0 + (y1 - y0) * part // count) for part in range(1, count + 1)]
    return points
