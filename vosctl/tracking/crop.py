"""The crop: the square part of the frame around an object that the network gets to see.

A crop is cut out of the frame and resampled to a fixed size, so an object costs the same whatever the resolution of
the video. Geometry is in frame pixels; a pixel's centre lies at +0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.types import Box, Mask, RealBox, RGBImage, SoftMask
from vosctl.video.planar import Picture, PlanarPicture

# Outside the image the crop is filled with the ImageNet mean, which the network sees as zero. (Reflecting the image
# would show the object twice.)
FILL = (124, 116, 104)

MAIN_PART = 0.1  # share of the largest part's area from which a part of the mask counts for the crop


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of the frame, resampled to `size` x `size`.

    Attributes:
        x: left edge in frame pixels, may lie outside the frame.
        y: top edge in frame pixels, may lie outside the frame.
        side: side in frame pixels, an integer, at least 1.
        size: side in pixels after resampling.
    """

    x: int
    y: int
    side: int
    size: int

    @classmethod
    def around(cls, center_x: float, center_y: float, side: float, size: int) -> Crop:
        """Return the crop of about this centre and side whose edges are whole pixels; it can be halved exactly."""
        halvings = 2 ** max(int(np.log2(max(side, 1) / size)), 0)
        whole = max(round(side / halvings), 1) * halvings
        return cls(round(center_x - whole / 2), round(center_y - whole / 2), whole, size)

    @property
    def center(self) -> tuple[float, float]:
        """Return the middle of the crop, (x, y) in frame pixels."""
        return self.x + self.side / 2, self.y + self.side / 2

    @property
    def scale(self) -> float:
        """Crop pixels per frame pixel."""
        return self.size / self.side

    def cut(self, picture: Picture) -> RGBImage:
        """Cut the crop out of a frame, to (size, size, 3) uint8 RGB, filled outside the frame."""
        if not isinstance(picture, PlanarPicture):
            return self._cut(picture, FILL)
        (luma, cb, cr), (luma_fill, cb_fill, cr_fill) = picture.planes, picture.coding.encode(FILL)
        cut = self._cut(luma, luma_fill), self._cut_halved(cb, cb_fill), self._cut_halved(cr, cr_fill)
        return picture.coding.decode(np.asarray(cv2.merge(cut), np.uint8))

    def cut_mask(self, mask: SoftMask) -> SoftMask:
        """Cut the crop out of a mask: (H, W) float32 to (size, size) float32, zero outside the frame."""
        return self._cut(mask, 0.0)

    def _cut(self, image: NDArray, fill: float | tuple[int, ...]) -> NDArray:  # type: ignore[type-arg]
        height, width = image.shape[:2]
        left, top = max(self.x, 0), max(self.y, 0)
        right, bottom = min(self.x + self.side, width), min(self.y + self.side, height)
        if right <= left or bottom <= top:  # the crop has left the frame
            return np.full((self.size, self.size, *image.shape[2:]), fill, image.dtype)
        part = image[top:bottom, left:right]
        borders = (top - self.y, self.y + self.side - bottom, left - self.x, self.x + self.side - right)
        if any(borders):
            part = cv2.copyMakeBorder(part, *borders, cv2.BORDER_CONSTANT, value=fill)
        # A strongly shrunk crop would alias. Exact halvings are three times as fast as averaging in one go.
        side = self.side
        while side >= 2 * self.size and side % 2 == 0:
            side //= 2
            part = cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
        return cv2.resize(part, (self.size, self.size), interpolation=cv2.INTER_LINEAR)

    def _cut_halved(self, plane: NDArray[np.uint8], fill: float) -> NDArray[np.uint8]:
        """Cut the crop out of a plane of half the frame's width and height."""
        if self.side >= 4 * self.size:  # an odd edge is half a pixel off, which such a crop does not show
            return Crop(self.x // 2, self.y // 2, self.side // 2, self.size)._cut(plane, fill)
        zoom = self.side / self.size / 2
        matrix = np.array([[zoom, 0, self.x / 2 + 0.5 * zoom - 0.5], [0, zoom, self.y / 2 + 0.5 * zoom - 0.5]])
        return _warp(plane, matrix, self.size, self.size, fill)

    def resample(self, values: SoftMask, source: Crop) -> SoftMask:
        """Carry (size, size) float32 values from another crop into this one; zero where the other does not reach."""
        if source == self:
            return values
        zoom = self.side / self.size * source.scale  # source pixels per pixel of this crop
        matrix = np.array(
            [
                [zoom, 0, (self.x - source.x) * source.scale + 0.5 * zoom - 0.5],
                [0, zoom, (self.y - source.y) * source.scale + 0.5 * zoom - 0.5],
            ]
        )
        return _warp(values, matrix, self.size, self.size)

    def to_frame(self, values: NDArray, x: int, y: int, width: int, height: int) -> NDArray:  # type: ignore[type-arg]
        """Carry (size, size) values back to a rectangle of the frame: (height, width), zero outside the crop."""
        zoom = self.scale
        matrix = np.array([[zoom, 0, (x - self.x + 0.5) * zoom - 0.5], [0, zoom, (y - self.y + 0.5) * zoom - 0.5]])
        return _warp(values, matrix, width, height)

    def box_in_frame(self, box: Box) -> RealBox:
        """Convert a box from crop pixels to frame pixels."""
        x, y, width, height = box
        pixel = 1 / self.scale
        return self.x + x * pixel, self.y + y * pixel, width * pixel, height * pixel

    def overlaps(self, other: Crop) -> bool:
        """Return whether two crops share any area."""
        return (
            self.x < other.x + other.side
            and other.x < self.x + self.side
            and self.y < other.y + other.side
            and other.y < self.y + self.side
        )


def _warp(
    values: NDArray[Any], matrix: NDArray[np.float64], width: int, height: int, fill: float = 0.0
) -> NDArray[Any]:
    """Sample `values` at `matrix` applied to each output pixel, `fill` outside."""
    return cv2.warpAffine(
        values,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=fill,
    )


def main_box(mask: Mask) -> Box | None:
    """x, y, width, height of a (H, W) mask's main parts; None when it is empty.

    Parts below `MAIN_PART` of the largest one's area do not count: a speck far away would widen the crop for good.
    """
    count, _, parts, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    if count <= 2:
        return mask_box(mask)
    areas = parts[1:, cv2.CC_STAT_AREA]
    main = parts[1:][areas >= MAIN_PART * areas.max()]
    left, top = main[:, cv2.CC_STAT_LEFT], main[:, cv2.CC_STAT_TOP]
    right, bottom = left + main[:, cv2.CC_STAT_WIDTH], top + main[:, cv2.CC_STAT_HEIGHT]
    x, y = int(left.min()), int(top.min())
    return x, y, int(right.max()) - x, int(bottom.max()) - y


def mask_box(mask: Mask) -> Box | None:
    """x, y, width, height of the true pixels of a (H, W) mask; None when there are none."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return (x, y, width, height) if width else None
