"""Which square of the picture the prompt network looks at: a small thing fills it, whatever the picture's size."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vosctl.prompts.prompt import Prompt
from vosctl.tracking.crop import Crop, main_box
from vosctl.types import Mask, RealBox

CONTEXT = 1.4
"""Side of a region over the longer side of the box that it shows."""
LEAST_SIDE = 32
"""Pixels of the picture that the side of a region has at least."""
EDGE = 2
"""Pixels: a mask that comes so near to its region's edge may go on beyond it."""


def whole_region(height: int, width: int, size: int) -> Crop:
    """Return the region that shows the whole picture."""
    return Crop.around(width / 2, height / 2, max(width, height), size)


def region_round(box: RealBox, height: int, width: int, size: int, context: float = CONTEXT) -> Crop:
    """Return the region round a box: with context, and with as little as can be of what lies outside the picture."""
    x, y, box_width, box_height = box
    side = min(max(context * max(box_width, box_height), LEAST_SIDE), max(width, height))
    centre_x = _inside(x + box_width / 2, side, width)
    centre_y = _inside(y + box_height / 2, side, height)
    return Crop.around(centre_x, centre_y, side, size)


def _inside(centre: float, side: float, length: int) -> float:
    return length / 2 if side >= length else min(max(centre, side / 2), length - side / 2)


def reach_of(prompt: Prompt) -> RealBox | None:
    """Return the smallest box round the prompt's box, its mask and all that lies on the object; None without any."""
    boxes = [] if prompt.box is None else [prompt.box]
    if prompt.mask is not None and (found := main_box(prompt.mask > 0.5)) is not None:
        boxes.append((float(found[0]), float(found[1]), float(found[2]), float(found[3])))
    boxes += [(x, y, 1.0, 1.0) for x, y, on_object in prompt.points if on_object]
    boxes += [(x, y, 1.0, 1.0) for stroke in prompt.strokes if stroke.on_object for x, y in stroke.path]
    return union(boxes) if boxes else None


def union(boxes: Iterable[RealBox]) -> RealBox:
    """Return the smallest box round boxes."""
    edges = np.array([(x, y, x + width, y + height) for x, y, width, height in boxes])
    (left, top), (right, bottom) = edges[:, :2].min(0), edges[:, 2:].max(0)
    return float(left), float(top), float(right - left), float(bottom - top)


def holds(region: Crop, box: RealBox, slack: float = 0.0) -> bool:
    """Return whether a box lies in a region, but for `slack` of the region's side."""
    x, y, width, height = box
    spare = slack * region.side
    return (
        x >= region.x - spare
        and y >= region.y - spare
        and x + width <= region.x + region.side + spare
        and y + height <= region.y + region.side + spare
    )


def runs_out(mask: Mask, region: Crop, height: int, width: int) -> bool:
    """Return whether a mask, (S, S) in its region, reaches an edge of the region that is not one of the picture too."""
    sides = (
        (region.x > 0, mask[:, :EDGE]),
        (region.y > 0, mask[:EDGE]),
        (region.x + region.side < width, mask[:, -EDGE:]),
        (region.y + region.side < height, mask[-EDGE:]),
    )
    return any(open_ and bool(strip.any()) for open_, strip in sides)
