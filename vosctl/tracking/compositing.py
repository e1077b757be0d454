"""From each object's probability in its crop to one labelled frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vosctl.tracking.crop import Crop, mask_box
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.types import Alpha, Labels, SoftMask

VISIBLE = 5  # of 255: probabilities below this are not worth drawing


@dataclass(frozen=True, slots=True, eq=False)
class ObjectView:
    """What was seen of one object in one frame.

    Attributes:
        id: the user's id.
        crop: where the probability lies in the frame.
        probability: (size, size) float32 in [0, 1].
        score: see `TrackedObject`.
        lost: an object that is lost is not drawn.
        presence: see `TrackedObject`.
    """

    id: int
    crop: Crop
    probability: SoftMask
    score: float
    lost: bool
    presence: float | None = None


def composite(views: Sequence[ObjectView], height: int, width: int) -> TrackedFrame:
    """Draw the objects into one frame; each pixel goes to the most probable of objects and background.

    Args:
        views: the objects, by id.
        height: of the frame in pixels.
        width: of the frame in pixels.
    """
    labels = np.zeros((height, width), np.uint8)
    alpha = np.zeros((height, width), np.uint8)
    drawn = []
    for view in views:
        if not view.lost and (patch := _patch(view, height, width)) is not None:
            drawn.append((view.id, *patch))
    if len(drawn) == 1:
        object_id, rows, columns, values = drawn[0]
        alpha[rows, columns] = values
        np.multiply(values > 127, np.uint8(object_id), out=labels[rows, columns])
    else:
        _draw_several(drawn, labels, alpha)
    return TrackedFrame(labels, alpha, tuple(_report(view, labels) for view in views))


def _patch(view: ObjectView, height: int, width: int) -> tuple[slice, slice, Alpha] | None:
    """Return the part of the frame that the object may touch, and its probability there as 0..255."""
    values = cv2.convertScaleAbs(view.probability, alpha=255)
    box = mask_box(values >= VISIBLE)
    if box is None:
        return None
    x, y, box_width, box_height = view.crop.box_in_frame(box)
    margin = 1 + int(1 / view.crop.scale)  # interpolation reaches one crop pixel further
    left, top = max(int(x) - margin, 0), max(int(y) - margin, 0)
    right, bottom = min(int(x + box_width) + 1 + margin, width), min(int(y + box_height) + 1 + margin, height)
    if right <= left or bottom <= top:
        return None
    patch = view.crop.to_frame(values, left, top, right - left, bottom - top)
    return slice(top, bottom), slice(left, right), patch


def _draw_several(drawn: list[tuple[int, slice, slice, Alpha]], labels: Labels, alpha: Alpha) -> None:
    best = np.zeros_like(alpha)
    for object_id, rows, columns, values in drawn:
        cv2.add(alpha[rows, columns], values, dst=alpha[rows, columns])  # saturates at 255
        wins = values > best[rows, columns]
        best[rows, columns][wins] = values[wins]
        labels[rows, columns][wins] = object_id
    labels[best <= 255 - alpha] = 0  # the background has what the objects leave


def _report(view: ObjectView, labels: Labels) -> TrackedObject:
    crop = view.crop
    rows = slice(max(crop.y, 0), max(crop.y + crop.side, 0))
    columns = slice(max(crop.x, 0), max(crop.x + crop.side, 0))
    mine = labels[rows, columns] == view.id
    box = mask_box(np.ascontiguousarray(mine)) if mine.size and not view.lost else None
    if box is None:
        return TrackedObject(view.id, "lost", 0.0, 0, None, view.presence)
    x, y, width, height = box
    frame_box = (x + columns.start, y + rows.start, width, height)
    return TrackedObject(view.id, "tracked", view.score, int(np.count_nonzero(mine)), frame_box, view.presence)
