"""Tells when most of the picture changes at once: a cut, a black frame, a flash."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.colours import colours_of, likeness
from vosctl.types import RGBImage
from vosctl.video.planar import Picture, PlanarPicture

BLOCKS = (16, 9)  # columns and rows of blocks whose mean brightness is compared
SAMPLED = 12  # pixels a block and direction that its mean is taken of
CHANGED_LEVELS = 24  # of 255: a block that brightens or darkens by more has changed
CHANGED_SHARE = 0.45  # of the blocks: from here on it is another picture
# With less it is one where the blocks' pattern is another too, which a pan or a shadow keeps.
CHANGED_SHARE_OF_PATTERN = 0.25
LIKE_PATTERN = 0.75  # correlation of the blocks' brightness
THUMBNAIL = (96, 54)  # columns and rows of the small picture whose colours are compared
# Likeness of all colours of two pictures: below the first there is another scene; between the two there is one if the
# picture changes at once. A view that moves shows most of the same things again, and sets out and rests bit by bit.
OTHER_COLOURS = 0.85
SAME_COLOURS = 0.98
SUDDEN = 2.0  # times the change of the frame before

Change = Literal["none", "motion", "cut"]
"""What lies between two frames: little, so much motion that most of the picture is another one, or a cut."""


class SceneChange:
    """Compares every frame with the one before, by the mean brightness of a few blocks, and then by its colours.

    Means of blocks hardly notice what moves by a few pixels, and take no time in a frame of any size.

    Attributes:
        before: (9, 16) mean brightness of the blocks of the frame before, 0..255; None before the first.
        small: (54, 96, 3) uint8 RGB, the frame before; None before the first.
        moved: by how much the blocks changed on average from the frame before that one; None before the third.
    """

    def __init__(self) -> None:
        self.before: NDArray[np.int16] | None = None
        self.small: RGBImage | None = None
        self.moved: float | None = None

    def between(self, picture: Picture) -> Change:
        """Return what lies between the frame before and this one; "none" for the first."""
        now, small = _block_means(picture), _thumbnail(picture)
        before, small_before, moved_before = self.before, self.small, self.moved
        self.before, self.small = now, small
        if before is None:
            return "none"
        self.moved = float(np.abs(now - before).mean())
        if not is_another(now, before):
            return "none"
        alike = 1.0 if small_before is None else _alike(small, small_before)
        sudden = moved_before is not None and self.moved > SUDDEN * moved_before
        return "cut" if alike < OTHER_COLOURS or (sudden and alike < SAME_COLOURS) else "motion"


def is_another(now: NDArray[np.int16], before: NDArray[np.int16]) -> bool:
    """Return whether the blocks' mean brightness, (9, 16) each, is that of two scenes."""
    share = float(np.mean(np.abs(now - before) > CHANGED_LEVELS))
    return share >= CHANGED_SHARE or (share >= CHANGED_SHARE_OF_PATTERN and _correlation(now, before) < LIKE_PATTERN)


def _correlation(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    first, second = one - one.mean(), other - other.mean()
    return float((first * second).sum() / max(np.sqrt((first**2).sum() * (second**2).sum()), 1.0))


def _block_means(picture: Picture) -> NDArray[np.int16]:
    """Return (9, 16) mean brightness, 0..255."""
    plane = picture.planes[0] if isinstance(picture, PlanarPicture) else picture[..., 1]  # green is most of the luma
    height, width = plane.shape
    columns, rows = BLOCKS
    sampled = plane[:: max(height // (rows * SAMPLED), 1), :: max(width // (columns * SAMPLED), 1)]
    return cv2.resize(np.ascontiguousarray(sampled), BLOCKS, interpolation=cv2.INTER_AREA).astype(np.int16)


def _thumbnail(picture: Picture) -> RGBImage:
    """Return (54, 96, 3) uint8 RGB: pixels as they are, evenly spread."""
    if not isinstance(picture, PlanarPicture):
        return np.asarray(cv2.resize(picture, THUMBNAIL, interpolation=cv2.INTER_NEAREST), np.uint8)
    planes = [cv2.resize(plane, THUMBNAIL, interpolation=cv2.INTER_NEAREST) for plane in picture.planes]
    return picture.coding.decode(np.asarray(cv2.merge(planes), np.uint8))


def _alike(one: RGBImage, other: RGBImage) -> float:
    """Return how alike all colours of two thumbnails are, 0..1."""
    everything = np.ones(one.shape[:2], np.float32)
    first, second = colours_of(one, everything), colours_of(other, everything)
    return 0.0 if first is None or second is None else likeness(first, second)
