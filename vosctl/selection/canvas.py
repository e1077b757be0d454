"""Pictures for the windows: strips of text, the object being drawn."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.selection.drawing import ObjectDrawing
from vosctl.tracking.crop import mask_box
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.types import RGB, Mask, RGBImage
from vosctl.video.colours import object_colour
from vosctl.video.overlay import render_overlay

WHITE: RGB = (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LINE_HEIGHT = 20  # pixels at a scale of 1
_ERASE_COLOUR: RGB = (255, 255, 255)
_ON_COLOUR: RGB = (40, 190, 70)
_BESIDE_COLOUR: RGB = (220, 50, 50)


def text_scale(image: RGBImage) -> float:
    """Return how large text is on a picture: 1 at 640x480, never too small to read."""
    height, width = image.shape[:2]
    return float(max(0.8, min(width / 640, height / 480)))


def draw_strip(image: RGBImage, lines: Sequence[str | tuple[str, RGB]], *, bottom: bool = False) -> None:
    """Write lines on a darkened strip at the top or bottom of a picture, in place.

    Args:
        image: (H, W, 3) uint8 RGB.
        lines: texts, each with a colour or white; a line too long for the picture is wrapped at its double spaces,
            and a part that is too long by itself at its spaces.
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
        cv2.putText(image, text, place, _FONT, 0.5 * scale, colour, _thickness(scale), cv2.LINE_AA)


def _thickness(scale: float) -> int:
    """Return the thickness of text in pixels; thick letters may be wider too."""
    return max(1, round(scale))


def _wrapped(line: str | tuple[str, RGB], width: int, scale: float) -> list[tuple[str, RGB]]:
    text, colour = (line, WHITE) if isinstance(line, str) else line
    rows: list[str] = []
    for part in text.split("  "):
        longer = f"{rows[-1]}   {part}" if rows else part
        if rows and _fits(longer, width, scale):
            rows[-1] = longer
            continue
        rows.append("")
        for word in [part] if _fits(part, width, scale) else part.split(" "):
            longer = f"{rows[-1]} {word}" if rows[-1] else word
            if not rows[-1] or _fits(longer, width, scale):
                rows[-1] = longer
            else:
                rows.append(word)
    return [(row, colour) for row in rows]


def _fits(text: str, width: int, scale: float) -> bool:
    return bool(cv2.getTextSize(text, _FONT, 0.5 * scale, _thickness(scale))[0][0] <= width - 16 * scale)


def draw_objects(image: RGBImage, labels: NDArray[np.uint8]) -> RGBImage:
    """Draw labelled objects on a copy of the picture.

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
    """Draw the picture an object is marked on: other objects, the mask, the prompt and the drag in progress.

    Args:
        drawing: the object being drawn.
        others: (H, W) uint8 labels of the objects that exist.

    Returns:
        (H, W, 3), the part of the picture that is looked at.
    """
    labels = np.where(others == drawing.object_id, np.uint8(0), others)
    if drawing.mask is not None:
        labels[drawing.mask] = drawing.object_id
    canvas = draw_objects(drawing.image, labels)
    colour = object_colour(drawing.object_id)
    if drawing.preview is not None:
        _draw_preview(canvas, drawing.preview, colour)
    canvas = drawing.view.show(canvas)
    _draw_prompt(canvas, drawing)
    if drawing.path:
        _draw_drag(canvas, drawing, colour)
    return canvas


def _draw_preview(canvas: RGBImage, mask: Mask, colour: RGB) -> None:
    """Draw the outline, and every other line of what is inside: unlike a mask that is there."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hatched = mask.copy()
    hatched[::2] = False
    canvas[hatched] = (canvas[hatched] // 2 + np.array(colour) // 2).astype(np.uint8)
    cv2.drawContours(canvas, outlines, -1, WHITE, max(1, round(text_scale(canvas))), cv2.LINE_AA)


def _draw_prompt(canvas: RGBImage, drawing: ObjectDrawing) -> None:
    """Clicks as dots, green on the object and red beside it, and the box as a thin frame."""
    width = max(1, round(text_scale(canvas)))
    view, prompt = drawing.view, drawing.prompt
    if prompt.box is not None:
        x, y, box_width, box_height = prompt.box
        corners = view.on_screen(x, y), view.on_screen(x + box_width - 1, y + box_height - 1)
        cv2.rectangle(canvas, *corners, WHITE, width, cv2.LINE_AA)
    for x, y, on_object in prompt.points:
        place = view.on_screen(x, y)
        cv2.circle(canvas, place, 5 * width, WHITE, -1, cv2.LINE_AA)
        cv2.circle(canvas, place, 4 * width, _ON_COLOUR if on_object else _BESIDE_COLOUR, -1, cv2.LINE_AA)


def _draw_drag(canvas: RGBImage, drawing: ObjectDrawing, colour: RGB) -> None:
    width = max(1, round(2 * text_scale(canvas)))
    view = drawing.view
    path = [view.on_screen(x, y) for x, y in drawing.path]
    if drawing.dragging_box:
        cv2.rectangle(canvas, path[0], path[-1], colour, width, cv2.LINE_AA)
    elif drawing.tool == "stroke":
        cv2.polylines(canvas, [np.array(path, np.int32)], False, colour, width, cv2.LINE_AA)
    elif drawing.tool in ("paint", "erase"):
        painted = colour if drawing.tool == "paint" else _ERASE_COLOUR
        thick = max(1, round(2 * drawing.brush * view.magnification))
        cv2.polylines(canvas, [np.array(path, np.int32)], False, painted, thick)
