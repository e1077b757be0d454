"""Where to look for an object that is lost: around where it was, ever wider; in its place; all over the frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vosctl.tracking.crop import Crop
from vosctl.types import SoftMask

OVERLAP = 0.25  # of neighbouring crops, when the frame is searched part by part
PART = 0.6  # of the frame's shorter side: the crops' side then, unless the object was larger
SAME = 0.8  # share of a mask that another one covers when it is of the same thing
MOST_VIEWS = 32  # that go through the network at once, however many objects are lost
AFTER_CHANGE = 4  # frames after a change of scene in which the whole frame is searched


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What the network is shown.

    Attributes:
        crop: the part of the frame.
        guidance: (size, size), where the object is thought to be in it; zero where nothing is known.
    """

    crop: Crop
    guidance: SoftMask

    @classmethod
    def unguided(cls, crop: Crop) -> View:
        """Return a view without an idea where the object is."""
        return cls(crop, np.zeros((crop.size, crop.size), np.float32))


def views_all_over(height: int, width: int, side: float, size: int) -> Iterator[View]:
    """Return the whole frame, then its parts.

    Args:
        height: of the frame in pixels.
        width: of the frame in pixels.
        side: of the crop that showed the object well, in pixels of the frame.
        size: pixels of the crops' side.
    """
    whole = float(max(height, width))
    yield View.unguided(Crop.around(width / 2, height / 2, whole, size))
    part = max(side, PART * min(height, width))
    if part > 0.8 * whole:
        return
    for y in _centres(height, part):
        for x in _centres(width, part):
            yield View.unguided(Crop.around(x, y, part, size))


def _centres(length: float, part: float) -> list[float]:
    """Centres of as many parts as it takes to cover a length with some overlap."""
    if part >= length:
        return [length / 2]
    count = int(np.ceil((length - OVERLAP * part) / ((1 - OVERLAP) * part)))
    return [float(x) for x in np.linspace(part / 2, length - part / 2, count)]


def shows_more(one: View, other: View) -> bool:
    """Return whether what is marked in one view is what is marked in another, and more of it.

    Of an object at the edge of a view only a part is marked, which may be beyond doubt all the same.
    """
    mask, part = one.guidance > 0.5, one.crop.resample(other.guidance, other.crop) > 0.5
    # all of the other's, beyond this crop too
    pixels = np.count_nonzero(other.guidance > 0.5) * (one.crop.scale / other.crop.scale) ** 2
    return bool(np.count_nonzero(mask) > pixels and np.count_nonzero(mask & part) > SAME * pixels)
