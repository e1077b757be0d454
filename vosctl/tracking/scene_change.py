"""Tells when most of the picture changes at once: a cut, a black frame, a flash."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.video.planar import Picture, PlanarPicture

BLOCKS = (16, 9)  # columns and rows of blocks whose mean brightness is compared
SAMPLED = 12  # pixels a block and direction that its mean is taken of
CHANGED_LEVELS = 24  # of 255: a block that brightens or darkens by more has changed
CHANGED_SHARE = 0.45  # of the blocks: from here on it is another picture
# With less it is one where the blocks' pattern is another too, which a pan or a shadow keeps.
CHANGED_SHARE_OF_PATTERN = 0.25
LIKE_PATTERN = 0.75  # correlation of the blocks' brightness


class SceneChange:
    """Compares every frame with the one before, by the mean brightness of a few blocks.

    Means of blocks hardly notice what moves by a few pixels, and take no time in a frame of any size.

    Attributes:
        before: (9, 16) mean brightness of the blocks of the frame before, 0..255; None before the first.
    """

    def __init__(self) -> None:
        self.before: NDArray[np.int16] | None = None

    def happened(self, picture: Picture) -> bool:
        """Return whether this frame is another picture than the one before; False for the first."""
        now, before = _block_means(picture), self.before
        self.before = now
        return before is not None and is_another(now, before)


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
