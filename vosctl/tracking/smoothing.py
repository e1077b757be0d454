"""Smoothing masks through time, along the motion of the picture: what flickers from frame to frame is averaged out.

The network sees one frame, its guidance and the reference, so that what it is not sure of comes and goes. Here each
mask is averaged with that of the frame before, carried along the optical flow between the two crops (DIS: Kroeger et
al., ECCV 2016), as far as the picture there is the same. Only what is given out is averaged: the network is guided by
its own masks, so that nothing that is wrong can feed on itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.crop import mask_box
from vosctl.types import RGBImage, SoftMask

LARGEST_SHARE = 0.65
"""Of the mask of before, where the picture is the same to the last bit."""
TOLERANCE = 15.0
"""Difference of the luma, of 255, at which that share has fallen to 1/e of it: light changes, and cameras are noisy."""
OBJECT_TOLERANCE = 25.0
"""The same of the mean over the object: a flow that does not explain the whole is not to be believed in its parts."""
FAST = 0.0625
"""Of the crop's side: the move at which the share has fallen to 1/e too, as the flow of fast things is not sure."""
DIFFERENCE_SIZE = 5  # pixels of the crop: side of the square that differences are averaged over
TOUCHED = 0.02  # probability from which a pixel counts as touched by the object
MARGIN = 16  # pixels of the crop round what is touched that the flow is found in
LEAST_SIDE = 32  # of that
_SHARES = (LARGEST_SHARE * np.exp(-((np.arange(256) / TOLERANCE) ** 2))).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """An object as it was given out of a frame.

    Attributes:
        luma: (size, size) uint8, of its crop.
        probability: (size, size) float32 in [0, 1], smoothed.
    """

    luma: NDArray[np.uint8]
    probability: SoftMask


def smoothed(image: RGBImage, probability: SoftMask, before: Shown | None) -> Shown:
    """Return an object as it is to be given out.

    Args:
        image: (size, size, 3), its crop.
        probability: (size, size), its own in this frame.
        before: as it was given out of the frame before, in the crop of then; None where nothing is to be averaged.
    """
    luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    region = None if before is None else _region(np.maximum(probability, before.probability))
    if before is None or region is None:
        return Shown(luma, probability)
    there = Shown(before.luma[region], before.probability[region])
    averaged = probability.copy()
    averaged[region] += _change(luma[region], probability[region], there, FAST * len(luma))
    if (probability > 0.5).any() and not (averaged > 0.5).any():  # what is seen is not to be averaged away
        return Shown(luma, probability)
    return Shown(luma, averaged)


def _change(luma: NDArray[np.uint8], probability: SoftMask, before: Shown, fast: float) -> SoftMask:
    """Return what averaging adds to a probability, all of one region; `fast` is in pixels."""
    move = _move(luma, before.luma)
    places = _places(move)
    carried = _carried(before.probability, places)
    difference = cv2.blur(cv2.absdiff(_carried(before.luma, places), luma), (DIFFERENCE_SIZE, DIFFERENCE_SIZE))
    share = cv2.LUT(difference, _SHARES) * np.exp(-np.square(move).sum(axis=2) / np.float32(fast**2))
    touched = np.maximum(probability, carried) > 0.5
    if touched.any():
        share *= np.float32(np.exp(-((difference[touched].mean() / OBJECT_TOLERANCE) ** 2)))
    return np.asarray(share * (carried - probability), np.float32)


def _move(luma: NDArray[np.uint8], before: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how far from each pixel it was before, x and y: (H, W, 2)."""
    # A new one each time: a small image changes the scale of one that is used again, for all that come after it.
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    flow.setFinestScale(1)  # half of the crop's pixels, twice as fine as the preset
    found = flow.calc(np.ascontiguousarray(luma), np.ascontiguousarray(before), None)  # type: ignore[call-overload]
    return np.asarray(found, np.float32)


def _places(move: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return x and y of where each pixel was before, (H, W, 2)."""
    height, width, _ = move.shape
    places = move.copy()
    places[..., 0] += np.arange(width, dtype=np.float32)
    places[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return places


def _carried(values: NDArray, places: NDArray[np.float32]) -> NDArray:  # type: ignore[type-arg]
    """Return the values at these places, (H, W, 2)."""
    return np.asarray(cv2.remap(values, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))  # type: ignore[call-overload]


def _region(probability: SoftMask) -> tuple[slice, slice] | None:
    """Return the part of a crop that an object touches, with a margin; None where it touches nothing."""
    box = mask_box(probability >= TOUCHED)
    if box is None:
        return None
    x, y, width, height = box
    return _span(y, height, len(probability)), _span(x, width, len(probability))


def _span(start: int, length: int, size: int) -> slice:
    """Return a length of a crop's side with its margin, no shorter than the flow can be found in."""
    last = min(start + length + MARGIN, size)
    first = max(min(start - MARGIN, last - LEAST_SIDE), 0)
    return slice(first, min(max(last, first + LEAST_SIDE), size))
