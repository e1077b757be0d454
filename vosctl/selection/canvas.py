"""Pictures for the windows: strips of text, the object being drawn."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.selection.drawing import ObjectDrawing
from vosctl.tracking.crop import mask_box
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.types import RGB, RGBImage
from vosctl.video.colours import object_colour
from vosctl.video.overlay import render_overlay

WHITE: RGB = (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LINE_HEIGHT = 20  # pixels at a scale of 1
_ERASE_COLOUR: RGB = (255, 255, 255)


def text_scale(image: RGBImage) -> float:
    """How large text is on a picture: 1 at 640x480, never too small to read."""
    height, width = image.shape[:2]
    return float(max(0.8, min(width / 640, height / 480)))


def draw_strip(image: RGBImage, lines: Sequence[str | tuple[str, RGB]], *, bottom: bool = False) -> None:
    """Write lines on a darkened strip at the top or bottom of a picture, in place.

    Args:
        image: (H, W, 3) uint8 RGB.
        lines: texts, each with a colour or white; a line too long for the picture is wrapped at its double spaces.
        bottom: at the bottom instead.
    """
    scale = text_scale(image)
    rows = [row for line in lines for row in _wrapped(line, image.shape[1], scale)]
    if not rows:
        return
    line_height = round(_LINE_HEIGHT * scale)
    height = min(len(rows) * line_height + line_height // 3, image.shape[0])
    top = image.shape[0] - height if bottom else 0
    strip = image[top : top + height]
    cv2.convertScaleAbs(strip, strip, alpha=0.35)
    for index, (text, colour) in enumerate(rows):
        baseline = top + round((index + 0.8) * line_height)
        place = round(8 * scale), baseline
        cv2.putText(image, text, place, _FONT, 0.5 * scale, colour, max(1, round(scale)), cv2.LINE_AA)


def _wrapped(line: str | tuple[str, RGB], width: int, scale: float) -> list[tuple[str, RGB]]:
    text, colour = (line, WHITE) if isinstance(line, str) else line
    rows: list[str] = []
    for part in text.split("  "):
        longer = f"{rows[-1]}   {part}" if rows else part
        if rows and cv2.getTextSize(longer, _FONT, 0.5 * scale, 1)[0][0] <= width - 16 * scale:
            rows[-1] = longer
        else:
            rows.append(part)
    return [(row, colour) for row in rows]


def draw_objects(image: RGBImage, labels: NDArray[np.uint8]) -> RGBImage:
    """A copy of the picture with labelled objects on it.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8 ids.
    """
    objects = []
    for object_id in (int(value) for value in np.unique(labels) if value):
        mask = labels == object_id
        objects.append(TrackedObject(object_id, "tracked", 1.0, int(np.count_nonzero(mask)), mask_box(mask)))
    return render_overlay(image, TrackedFrame(labels, labels, tuple(objects)))


def draw_drawing(drawing: ObjectDrawing, others: NDArray[np.uint8]) -> RGBImage:
    """The picture an object is drawn on, with the other objects, the mask and the drag in progress.

    Args:
        drawing: the object being drawn.
        others: (H, W) uint8 labels of the objects that exist.
    """
    labels = np.where(others == drawing.object_id, np.uint8(0), others)
    if drawing.mask is not None:
        labels[drawing.mask] = drawing.object_id
    canvas = draw_objects(drawing.image, labels)
    colour = object_colour(drawing.object_id)
    width = max(1, round(2 * text_scale(canvas)))
    if not drawing.path:
        return canvas
    if drawing.tool == "box":
        x, y, box_width, box_height = drawing.box()
        cv2.rectangle(canvas, (x, y), (x + box_width - 1, y + box_height - 1), colour, width, cv2.LINE_AA)
    elif drawing.tool == "stroke":
        cv2.polylines(canvas, [np.array(drawing.path, np.int32)], False, colour, width, cv2.LINE_AA)
    else:
        painted = colour if drawing.tool == "paint" else _ERASE_COLOUR
        cv2.polylines(canvas, [np.array(drawing.path, np.int32)], False, painted, 2 * drawing.brush, cv2.LINE_AA)
    return canvas
