"""The mouse over a window, told by what it points at in the picture."""

from __future__ import annotations

from vosctl.selection.events import Mouse, MouseAction, Wheel
from vosctl.selection.viewport import Viewport


def mouse_at(picture, action: MouseAction, x, y, away=False):
    """The mouse over the middle of a pixel of a picture, (H, W, 3), all of which is shown."""
    there = _shown(picture, x, y)
    return Mouse(action, there[0], there[1], away)


def wheel_at(picture, x, y, up):
    """The wheel turned over the middle of a pixel of a picture, (H, W, 3), all of which is shown."""
    there = _shown(picture, x, y)
    return Wheel(there[0], there[1], up)


def _shown(picture, x, y):
    height, width = picture.shape[:2]
    scale = Viewport.whole(width, height).scale
    return (x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5
