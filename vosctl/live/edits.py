"""Changes to a frame's result between two frames, so that they show before the next one is followed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.crop import mask_box
from vosctl.tracking.results import TrackedFrame, TrackedObject


def nothing_tracked(height: int, width: int) -> TrackedFrame:
    """The result of a frame in which nothing is followed."""
    return TrackedFrame(np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8), ())


def with_object(result: TrackedFrame, object_id: int, mask: NDArray[np.bool_]) -> TrackedFrame:
    """A result with one object more, or with an object's mask, (H, W) bool, replaced; it covers the others."""
    rest = without_object(result, object_id)
    labels = np.where(mask, np.uint8(object_id), rest.labels)
    alpha = np.where(mask, np.uint8(255), rest.alpha)
    added = TrackedObject(object_id, "tracked", 1.0, int(np.count_nonzero(mask)), mask_box(mask))
    return TrackedFrame(labels, alpha, tuple(sorted((*rest.objects, added), key=lambda one: one.id)))


def without_object(result: TrackedFrame, object_id: int) -> TrackedFrame:
    """A result without an object."""
    gone = result.labels == object_id
    labels = np.where(gone, np.uint8(0), result.labels)
    alpha = np.where(gone, np.uint8(0), result.alpha)
    return TrackedFrame(labels, alpha, tuple(one for one in result.objects if one.id != object_id))
