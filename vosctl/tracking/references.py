"""The reference that an object was first shown by: kept beside a later one that corrects it, where the two agree.

There are at most two of an object, the first and the latest one, however often it is corrected. A first reference that
was wrong must not stay. Whether it was is asked of the correction: the network, shown the first image with the later
reference, has to find there what was marked in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vosctl.engine.base import Engine
from vosctl.engine.references import joins_references
from vosctl.tracking.framing import REFERENCE_CONTEXT, crop_of_box
from vosctl.tracking.keeping import Reference
from vosctl.types import Box, Mask
from vosctl.video.planar import Picture

AGREES = 0.75
"""Intersection over union, in the first reference's image, of what was marked and of what the later reference finds."""


def reference_of(frame: Picture, mask: Mask, box: Box, size: int) -> Reference:
    """Return what the network is shown of an object as its reference.

    Args:
        frame: the frame.
        mask: (H, W), the object.
        box: x, y, width and height of it.
        size: side in pixels of the crops.
    """
    crop = crop_of_box(box, REFERENCE_CONTEXT, size)
    return Reference(crop.cut(frame), crop.cut_mask(mask.astype(np.float32)))


class FirstReferences:
    """The first reference of each object, which later ones are joined with.

    Args:
        engine: encodes them.
        most: references of an object, 1 or 2; with 1, or where the network reads one only, nothing is kept here.
        shown: first references that come before any that is taken, by object.
    """

    def __init__(self, engine: Engine[Any], most: int, shown: Mapping[int, Reference]) -> None:
        self._engine = engine
        self._joining = joins_references(engine) if most > 1 else None
        self._first = dict(shown) if self._joining is not None else {}
        self._states: dict[int, Any] = {}

    def take(
        self, object_id: int, reference: Reference, state: Any, *, again: bool, alone: bool
    ) -> tuple[Any, Reference | None]:
        """Take a reference in.

        Args:
            object_id: of the object.
            reference: what it was shown by.
            state: the engine's, of that.
            again: it takes the place of the first one, which was of the same frame.
            alone: the first one is wrong now, as it shows what is another object's.

        Returns:
            The state that it is followed with: of both references where the first agrees; and the first one, None where
            that is this one or none is kept.
        """
        first = self._first.get(object_id)
        if self._joining is None:
            return state, None
        if first is None or again or _is_same(first, reference):
            self._first[object_id], self._states[object_id] = reference, state
            return state, None
        before = self._encoded(object_id, first)
        if alone or not self._agrees(first, state):
            return state, first
        return self._joining.join_references(before, state), first

    def restore(self, object_id: int, reference: Reference, first: Reference | None, *, joined: bool) -> Any:
        """Return the state of an object from what was kept of it.

        Args:
            object_id: of the object.
            reference: its last one.
            first: the first one; None where that is the last one.
            joined: whether the state was of both.

        Raises:
            ValueError: it was of both, and this network reads one only.
        """
        state = self._engine.encode_reference(reference.image, reference.mask)
        if self._joining is None:
            if joined:
                raise ValueError("an object has two references, and one is read")
            return state
        self._first[object_id] = first or reference
        if first is None or not joined:
            return state
        return self._joining.join_references(self._encoded(object_id, first), state)

    def forget(self, object_id: int) -> None:
        """Forget an object: what comes next under its number is another."""
        self._first.pop(object_id, None)
        self._states.pop(object_id, None)

    def _encoded(self, object_id: int, first: Reference) -> Any:
        if object_id not in self._states:
            self._states[object_id] = self._engine.encode_reference(first.image, first.mask)
        return self._states[object_id]

    def _agrees(self, first: Reference, state: Any) -> bool:
        unguided = np.zeros_like(first.mask)[None]  # led by what was marked it would go along with half of an object
        found = self._engine.propagate(first.image[None], unguided, [state]).probabilities[0] > 0.5
        marked = first.mask > 0.5
        return bool(np.count_nonzero(found & marked) >= AGREES * np.count_nonzero(found | marked))


def _is_same(one: Reference, other: Reference) -> bool:
    return np.array_equal(one.mask, other.mask) and np.array_equal(one.image, other.image)
