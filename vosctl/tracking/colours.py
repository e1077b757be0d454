"""The colours of an object: they tell things of one kind apart, which a network that was shown many kinds does not."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.types import RGBImage, SoftMask

BINS = (8, 32, 32)  # of lightness, and of the two axes of colour, which change less with the light
WIDTHS = (1.5, 2.0, 2.0)  # in bins: standard deviation by which they are blurred, so that a small change changes little
SAMPLED = (128, 128)  # pixels of an image that are looked at
LEAST_PIXELS = 128  # of an object; with fewer, much of it is its outline, where colours mix
# What unlike colours say against an object, in log-odds, by the likeness of the two histograms.
FLOOR = 0.01
ALIKE = 0.96  # from here on they say nothing: more than 95 % of what is the object is as alike or more
SLOPE = 4.0
MOST = 3.0  # they never say more: light changes, too

Colours = NDArray[np.float32]
"""(8192,) float32, sums to 1: the share of each colour in an object, as `colours_of` gives it."""


def colours_of(image: RGBImage, mask: SoftMask) -> Colours | None:
    """Return the colours of what is marked; None where too little is.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) in [0, 1]; what is above 0.5 counts.
    """
    if np.count_nonzero(mask > 0.5) < LEAST_PIXELS:
        return None
    marked = (cv2.resize(mask, SAMPLED, interpolation=cv2.INTER_NEAREST) > 0.5).view(np.uint8)
    if not marked.any():  # so thin that it lies between the pixels looked at
        return None
    lab = cv2.cvtColor(cv2.resize(image, SAMPLED, interpolation=cv2.INTER_NEAREST), cv2.COLOR_RGB2LAB)
    # Few colours reach the ends of the axes: their middle halves are spread over all bins, and the rest is cut off.
    spread = cv2.LUT(lab, _SPREAD)
    counted = cv2.calcHist([cv2.add(spread, _DITHER)], [0, 1, 2], marked, BINS, [0, 256] * 3)
    smooth = _blurred(np.asarray(counted, np.float32))
    return np.asarray(smooth.ravel() / smooth.sum(), np.float32)


def _noise() -> NDArray[np.uint8]:
    """Return (*SAMPLED, 3) noise of a bin's width."""
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(0, 256 // count, SAMPLED, np.uint8) for count in BINS], axis=-1)


_DITHER = _noise()  # without it all of a flat thing would go over to the next bin at once


def _spread_axes() -> NDArray[np.uint8]:
    """Return (1, 256, 3): the lightness as it is, the axes of colour spread around their middle."""
    levels = np.arange(256)
    spread = np.clip((levels - 128) * 2 + 128, 0, 255)
    return np.stack([levels, spread, spread], axis=-1).astype(np.uint8)[None]


_SPREAD = _spread_axes()


def _blur(count: int, width: float) -> NDArray[np.float32]:
    """Return (count, count), the share of each bin that each bin gets."""
    distances = np.subtract.outer(np.arange(count), np.arange(count)) / width
    shares = np.exp(-0.5 * distances**2)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


_BLURS = tuple(_blur(count, width) for count, width in zip(BINS, WIDTHS, strict=True))


def _blurred(counted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur a histogram of `BINS` along each axis; what it sums to stays."""
    for blur in _BLURS:  # the first axis goes to the end each time
        counted = np.tensordot(counted, blur, (0, 0))
    return counted


def likeness(one: Colours, other: Colours) -> float:
    """Return how alike two objects' colours are, 0..1 (Bhattacharyya coefficient)."""
    return float(np.sqrt(one * other).sum())


def with_colours(presence: float, alike: float) -> float:
    """Return the presence of an object, 0..1, once the likeness of its colours, 0..1, is known.

    Colours only ever speak against it, as many things have the colours of many others.
    """
    missing = float(np.log((1 + FLOOR - alike) / (1 + FLOOR - ALIKE)))
    against = min(max(SLOPE * missing, 0.0), MOST)
    odds = presence / max(1 - presence, 1e-6) * float(np.exp(-against))
    return odds / (1 + odds)


def compared(presence: float, seen: Colours | None, known: Iterable[Colours | None]) -> float:
    """Return the presence of an object, 0..1, when these colours are seen of what is marked.

    Args:
        presence: what the network says, 0..1.
        seen: None where too little is marked.
        known: colours that the object has had; the most alike count. None where too little of it was seen.
    """
    likenesses = [] if seen is None else [likeness(seen, colours) for colours in known if colours is not None]
    return with_colours(presence, max(likenesses)) if likenesses else presence
