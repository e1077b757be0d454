"""Changes to a frame's result by hand: the masks that a user gives, and objects that go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from vosctl.tracking.crop import mask_box
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.types import Labels, Mask


def nothing_tracked(height: int, width: int) -> TrackedFrame:
    """Return the result of a frame in which nothing is followed."""
    return TrackedFrame(np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8), ())


def with_masks(result: TrackedFrame, masks: Mapping[int, Mask]) -> TrackedFrame:
    """Return a result with masks, (H, W) by object id, drawn over it: those of new objects or in place of old ones."""
    rest = result
    for object_id in masks:
        rest = without_object(rest, object_id)
    labels, alpha = rest.labels.copy(), rest.alpha.copy()
    for object_id, mask in masks.items():
        labels[mask] = object_id
        alpha[mask] = 255
    given = [TrackedObject(object_id, "tracked", 1.0, *_extent(labels, object_id)) for object_id in masks]
    others = [_recounted(one, labels) for one in rest.objects]
    return TrackedFrame(labels, alpha, tuple(sorted((*others, *given), key=lambda one: one.id)))


def without_object(result: TrackedFrame, object_id: int) -> TrackedFrame:
    """Return a result without an object."""
    gone = result.labels == object_id
    labels = np.where(gone, np.uint8(0), result.labels)
    alpha = np.where(gone, np.uint8(0), result.alpha)
    return TrackedFrame(labels, alpha, tuple(one for one in result.objects if one.id != object_id))


def _recounted(one: TrackedObject, labels: Labels) -> TrackedObject:
    """Measure an object whose pixels may have been drawn over: its score is that of before."""
    area, box = _extent(labels, one.id)
    if box is None:
        return replace(one, status="lost", score=0.0, area=0, box=None)
    return replace(one, area=area, box=box)


def _extent(labels: Labels, object_id: int) -> tuple[int, tuple[int, int, int, int] | None]:
    mask = labels == object_id
    return int(np.count_nonzero(mask)), mask_box(mask)
