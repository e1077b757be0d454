"""The matte's edge made to measure, and the object's own colours where it is soft."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.arguments import real_number, whole_number
from vosctl.errors import UsageError
from vosctl.types import Alpha, RGBImage

LARGEST = 200
"""Pixels that a matte may grow, shrink or be feathered by."""
_FAR, _NEAR = 90, 6
"""Pixels that colours are gathered from: first from afar, then from nearby."""
_LEAST = np.float32(1e-5)


@dataclass(frozen=True, slots=True)
class Edges:
    """How mattes, cut-outs and what is composed of them are made from the tracked matte.

    Attributes:
        grow: pixels by which the matte is widened; below 0 it is narrowed.
        feather: pixels over which its edge is made to fade, half of them to each side.
        clean: whether the background's colour is taken out of soft edges in cut-outs.

    Raises:
        UsageError: a number is none, or out of range.
    """

    grow: int = 0
    feather: float = 0.0
    clean: bool = False

    def __post_init__(self) -> None:
        if not -LARGEST <= whole_number("grow", self.grow) <= LARGEST:
            raise UsageError(f"`grow={self.grow}`: must be -{LARGEST} to {LARGEST} pixels")
        if not 0 <= real_number("feather", self.feather) <= LARGEST:
            raise UsageError(f"`feather={self.feather:g}`: must be 0 to {LARGEST} pixels")

    def apply(self, alpha: Alpha) -> Alpha:
        """Return the matte with its edge moved and faded; the same array where nothing is asked for."""
        if self.grow:
            side = 2 * abs(self.grow) + 1
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
            alpha = np.asarray(cv2.dilate(alpha, kernel) if self.grow > 0 else cv2.erode(alpha, kernel), np.uint8)
        if self.feather:
            # the edge of a step that is blurred so passes from 2 to 98 percent within `feather` pixels
            alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), self.feather / 4), np.uint8)
        return alpha


def foreground_colours(image: RGBImage, alpha: Alpha) -> RGBImage:
    """Estimate the object's own colours where its edge is soft, so that it can be put before anything else.

    Blur-fusion, M. Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021: the means of the colours of
    foreground and background round each pixel, moved so that the two make up the pixel; once from afar, once nearby.

    Args:
        image: (H, W, 3) uint8 RGB.
        alpha: (H, W) uint8, of the same frame.

    Returns:
        (H, W, 3) uint8 RGB: the image, with other colours where alpha is neither 0 nor 255.
    """
    soft = (alpha > 0) & (alpha < 255)
    x, y, width, height = cv2.boundingRect(soft.view(np.uint8))
    if not width:
        return image
    rows = slice(max(y - _FAR, 0), y + height + _FAR)
    columns = slice(max(x - _FAR, 0), x + width + _FAR)
    colours = image[rows, columns].astype(np.float32)
    share = alpha[rows, columns].astype(np.float32)[..., None] / np.float32(255)
    front, back = _fused(colours, colours, colours, share, _FAR)
    front, _ = _fused(colours, front, back, share, _NEAR)
    result = image.copy()
    inside = soft[rows, columns]
    result[rows, columns][inside] = np.clip(np.rint(front[inside]), 0, 255).astype(np.uint8)
    return result


def _fused(
    image: NDArray[np.float32],
    front: NDArray[np.float32],
    back: NDArray[np.float32],
    share: NDArray[np.float32],
    side: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Estimate front and mean back colours, (H, W, 3), from estimates before and the share of the front, (H, W, 1)."""
    shares = _mean(share, side)
    mean_front = _mean(front * share, side) / (shares + _LEAST)
    mean_back = _mean(back * (1 - share), side) / (1 - shares + _LEAST)
    moved = mean_front + share * (image - share * mean_front - (1 - share) * mean_back)
    return np.clip(moved, 0, 255), mean_back


def _mean(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the means of squares of `side` pixels round each pixel, of the shape of `values`."""
    return np.asarray(cv2.blur(values, (side, side)), np.float32).reshape(values.shape)
