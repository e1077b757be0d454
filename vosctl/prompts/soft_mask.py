"""Tells masks with soft edges from masks of many objects, and hardens soft ones."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_SQUARE = np.ones((3, 3), np.uint8)
_ON_SEGMENT = 12.0  # distance in colour space, 0..441, under which a colour counts as a blend of two others
_SAME_COLOUR = 48.0  # colours nearer than this to a frequent one are that colour with compression noise
_DARKEST_PAINT = 32  # values up to here number objects, brighter ones paint them
_NOISE = 8.0  # colours nearer than this are not painted as two objects
_SETTLED = 24.0  # colours nearer than this to an anchor are not blends
_MOST_COLOURS = 600  # more are blends; far above the 255 objects that can be told apart
_LARGEST_UNSETTLED_SHARE = 0.2  # a mask has less edge than this; a photograph has more


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """The different pixel values of an image.

    Attributes:
        colours: (N, C) int64, sorted; C is 1 for grey and 3 for RGB.
        index: (H, W) int64, the row of `colours` of each pixel.
        counts: (N,) int64, pixels of each colour.
    """

    colours: NDArray[np.int64]
    index: NDArray[np.int64]
    counts: NDArray[np.int64]


def tabulate(pixels: NDArray[np.uint8]) -> Palette:
    """The palette of (H, W) grey or (H, W, 3) RGB uint8 pixels."""
    channels = pixels.reshape(*pixels.shape[:2], -1).astype(np.int64)
    depth = channels.shape[2]
    weights = 256 ** np.arange(depth - 1, -1, -1)
    packed, index, counts = np.unique(channels @ weights, return_inverse=True, return_counts=True)
    colours = packed[:, None] // weights % 256
    return Palette(colours, index.reshape(pixels.shape[:2]).astype(np.int64), counts.astype(np.int64))


def is_soft(table: Palette) -> bool:
    """Whether some values are only blends along edges.

    Objects have an inside, blends do not: a value that nowhere fills 3x3 pixels and lies between two that do is a
    blend, and so is any such value when there are more of them than of the others. Values that differ by next to
    nothing are one value with compression noise.
    """
    if len(table.colours) > _MOST_COLOURS:
        return True
    solid = _solid(table)
    loose = table.colours[~solid]
    if len(loose) > solid.sum() or _is_noisy(table.colours):
        return True
    return any(_is_blend(colour, table.colours[solid]) for colour in loose)


def snap(table: Palette) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Give every pixel to one of the few colours the mask is made of.

    With two of them, a pixel goes to the nearer colour: a threshold at half. With more, the blend of two could look
    like a third, so a blended pixel goes to the nearer colour of the regions it touches.

    Returns:
        (H, W) int64 rows of the colours, and the (M, C) int64 colours; None for a picture that is no mask.
    """
    anchors = _anchors(table)
    grey = table.colours.shape[1] == 1
    if len(anchors) < 2:
        if not grey:
            return None
        anchors = table.colours[[0, -1]]
    distances = np.linalg.norm(table.colours[:, None] - anchors, axis=2)  # (N, M)
    nearest = distances.argmin(axis=1)
    if grey and len(anchors) == 2:
        return nearest[table.index], anchors
    unsettled = (distances.min(axis=1) > _SETTLED)[table.index]
    if unsettled.mean() > _LARGEST_UNSETTLED_SHARE or anchors.sum(axis=1).min() > _SAME_COLOUR:
        return None
    regions = nearest[table.index]
    if len(anchors) > 2:
        regions = _settle_edges(regions, unsettled, distances, table.index)
    return regions, anchors


def _is_noisy(colours: NDArray[np.int64]) -> bool:
    if colours.max() <= _DARKEST_PAINT:
        return False  # ids, not brightnesses
    if colours.shape[1] == 1:
        bright = colours >= 255 - _DARKEST_PAINT
        return bool(
            (bright | (colours <= _DARKEST_PAINT)).all() and (bright & (colours < 255)).any() and len(colours) > 2
        )
    steps = np.linalg.norm(np.diff(colours, axis=0), axis=1)
    return bool(steps.min(initial=np.inf) < _NOISE)


def _solid(table: Palette) -> NDArray[np.bool_]:
    """(N,) whether a colour fills 3x3 pixels somewhere."""
    solid = np.zeros(len(table.colours), np.bool_)
    solid[table.index[_uniform(table.index)]] = True
    return solid


def _uniform(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(H, W) whether the 3x3 pixels around carry one number (what lies beyond the border counts as the same)."""
    image = numbers.astype(np.float32)
    return np.asarray(cv2.erode(image, _SQUARE) == cv2.dilate(image, _SQUARE))


def _is_blend(colour: NDArray[np.int64], others: NDArray[np.int64]) -> bool:
    """Whether a colour lies on the line between two of the others, and at neither end."""
    start, end = np.triu_indices(len(others), k=1)
    line = (others[end] - others[start]).astype(np.float64)
    offset = colour - others[start]
    along = (offset * line).sum(axis=1) / (line * line).sum(axis=1)
    away = np.linalg.norm(offset - along[:, None] * line, axis=1)
    return bool(((along > 0) & (along < 1) & (away < _ON_SEGMENT)).any())


def _anchors(table: Palette) -> NDArray[np.int64]:
    """(M, C) the frequent, solid colours that are neither noise on nor blends of more frequent ones, sorted."""
    candidates = np.flatnonzero(_solid(table) & (table.counts >= max(9, table.index.size // 5000)))
    anchors: list[int] = []
    for row in candidates[table.counts[candidates].argsort()[::-1]]:
        colour = table.colours[row]
        if anchors and np.linalg.norm(table.colours[anchors] - colour, axis=1).min() <= _SAME_COLOUR:
            continue
        rarer_than_blends = table.counts[row] < table.counts[anchors].min(initial=0) // 5
        if rarer_than_blends and _is_blend(colour, table.colours[anchors]):
            continue
        anchors.append(int(row))
    return table.colours[sorted(anchors)]


def _settle_edges(
    regions: NDArray[np.int64],
    unsettled: NDArray[np.bool_],
    distances: NDArray[np.float64],
    index: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Give each blended pixel to the region next to it (two pixels away at most) whose colour is nearest.

    A blend can have the very colour of a third region, so what is nowhere part of 3x3 settled pixels counts as blended.
    Without a region that near, the nearest one in the picture takes the pixel.

    Args:
        regions: (H, W) the nearest anchor in colour.
        unsettled: (H, W) whether that anchor is far from the pixel's colour.
        distances: (N, M) from each colour to each anchor.
        index: (H, W) each pixel's colour.
    """
    centres = _uniform(np.where(unsettled, -1, regions)) & ~unsettled
    settled = cv2.dilate(centres.astype(np.uint8), _SQUARE) > 0
    _, nearest = cv2.distanceTransformWithLabels(
        (~settled).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # Each settled pixel carries a number of its own in `nearest`; the others carry that of the settled one nearest.
    region_of = np.zeros(int(nearest.max()) + 1, np.int64)
    region_of[nearest[settled]] = regions[settled]
    result = np.asarray(region_of[nearest])
    best = np.full(regions.shape, np.inf)
    for anchor in range(distances.shape[1]):
        distance = distances[:, anchor][index]
        reach = cv2.dilate((settled & (regions == anchor)).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        better = reach & ~settled & (distance < best)
        best[better] = distance[better]
        result[better] = anchor
    return result
