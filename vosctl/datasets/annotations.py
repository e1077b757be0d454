"""What the pixels of an annotation mean: ids, void, and masks of one object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vosctl.errors import VosctlError
from vosctl.types import Labels, Mask
from vosctl.video.masks import read_label_image

Task = Literal["single", "multi"]

VOID = 255
"""DAVIS' value for pixels that belong to nobody, unless it is the only id: then it is the object (0/255 masks)."""

_HALF = 128


def read_annotation(path: Path) -> Labels:
    """Read an annotation, upright as its image is (EXIF orientation applied).

    An indexed image holds ids. A grey one holds ids as well, unless it has values from 128 to 254: then it is the mask
    of one object with soft edges, which are cut at one half. A 1-bit image is the mask of object 1.

    Returns:
        (H, W) ids; 255 is `VOID`, or the one object where it is the only id of its sequence.

    Raises:
        UsageError: it is a colour image or has more than 8 bits.
        VosctlError: it cannot be read.
    """
    labels, indexed = read_label_image(path, upright=True)
    if not indexed and ((labels >= _HALF) & (labels < VOID)).any():
        return np.where(labels >= _HALF, np.uint8(VOID), np.uint8(0))
    return labels


def ids_of(annotation: Labels) -> tuple[int, ...]:
    """Return the objects of an annotation, ascending: all ids but `VOID`, which counts when it is the only one."""
    ids = [int(value) for value in np.flatnonzero(np.bincount(annotation.ravel(), minlength=VOID + 1)) if value]
    return tuple(value for value in ids if value != VOID or len(ids) == 1)


@dataclass(frozen=True, slots=True)
class Objects:
    """Which objects of a sequence count: those of the first annotation.

    Attributes:
        ids: sorted, as annotated. For the task "single" only the lowest, which then stands for all of them.
        merged: True for the task "single": every id but `VOID` is the one object.
    """

    ids: tuple[int, ...]
    merged: bool

    @classmethod
    def of(cls, first_annotation: Labels, task: Task, sequence: str) -> Objects:
        """Return the objects of a sequence's first annotation, (H, W) uint8; raise VosctlError when there are none."""
        ids = ids_of(first_annotation)
        if not ids:
            raise VosctlError(f"the first annotation of sequence {sequence!r} holds no object: there is none to follow")
        return cls(ids[:1] if task == "single" else ids, merged=task == "single")

    def keep(self, annotation: Labels) -> Labels:
        """Return (H, W) labels of these objects alone: void, and objects that came later, are background."""
        labels = np.zeros_like(annotation)
        for value, mask in zip(self.ids, self.masks(annotation), strict=True):
            labels[mask] = value
        return labels

    def masks(self, annotation: Labels) -> list[Mask]:
        """Return one (H, W) mask an object, in the order of `ids`."""
        if self.merged:
            return [annotation != 0 if self.ids == (VOID,) else (annotation != 0) & (annotation != VOID)]
        return [annotation == value for value in self.ids]

    def predicted_masks(self, labels: Labels) -> list[Mask]:
        """Return a predicted (H, W) mask for each object; a single object may be written as 1, as 255 or as its id."""
        if self.merged or self.ids == (VOID,):
            return [labels != 0]
        if len(self.ids) == 1:
            return [(labels == self.ids[0]) | (labels == VOID)]
        return [labels == value for value in self.ids]

    def later(self, annotation: Labels) -> tuple[int, ...]:
        """Return the ids of a later annotation that are not followed: their objects appear after the first frame."""
        if self.merged or self.ids == (VOID,):
            return ()
        present = np.flatnonzero(np.bincount(annotation.ravel(), minlength=VOID + 1))
        return tuple(int(value) for value in present if value not in (0, VOID, *self.ids))
