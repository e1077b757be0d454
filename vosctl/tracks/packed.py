"""A frame's result as it waits to be used, or to be written into a track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.tracks.coding import PackedMatte, pack_mask, pack_matte, unpack_mask, unpack_matte


@dataclass(frozen=True, slots=True, eq=False)
class PackedResult:
    """A frame's result in a few bytes.

    Attributes:
        objects: as in the result.
        masks: of each of them, run lengths.
        matte: of all of them.
        size: (height, width).
    """

    objects: tuple[TrackedObject, ...]
    masks: tuple[bytes, ...]
    matte: PackedMatte
    size: tuple[int, int]

    @classmethod
    def of(cls, result: TrackedFrame) -> PackedResult:
        """Pack a result."""
        masks = tuple(pack_mask(result.labels == one.id) for one in result.objects)
        height, width = result.labels.shape
        return cls(result.objects, masks, pack_matte(result.alpha), (height, width))

    def unpack(self) -> TrackedFrame:
        """Return the result."""
        labels = np.zeros(self.size, np.uint8)
        for one, packed in zip(self.objects, self.masks, strict=True):
            if (found := unpack_mask(packed)) is not None:
                (x, y, width, height), mask = found
                labels[y : y + height, x : x + width][mask] = one.id
        return TrackedFrame(labels, unpack_matte(self.matte, *self.size), self.objects)

    def rows(self, frame: int) -> list[tuple[object, ...]]:
        """Return what a track's table of objects holds of them, in the frame of a number."""
        nowhere = (None, None, None, None)
        return [
            (frame, one.id, one.status, one.score, one.presence, one.area, *(one.box or nowhere), mask)
            for one, mask in zip(self.objects, self.masks, strict=True)
        ]

    @property
    def nbytes(self) -> int:
        """How many bytes are kept of masks and matte."""
        return sum(map(len, self.masks)) + len(self.matte.png)
