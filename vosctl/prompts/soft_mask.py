"""Tells masks with soft edges from masks of many objects, and hardens soft ones."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.int64] | NDArray[np.uint8]

_SQUARE = np.ones((3, 3), np.uint8)
_ON_SEGMENT = 12.0  # distance in colour space, 0..441, under which a colour counts as a blend of two others
_SAME_COLOUR = 48.0  # colours nearer than this to a frequent one are that colour with compression noise
_DARKEST_PAINT = 32  # values up to here number objects, brighter ones paint them
_NOISE = 8.0  # colours nearer than this are not painted as two objects
_SETTLED = 24.0  # colours nearer than this to an anchor are not blends
_MOST_COLOURS = 600  # more are blends; far above the 255 objects that can be told apart
_MOST_SOLID = 256  # the most frequent colours, which others may be blends of
_RAMP = 16  # so many colours that lie between their neighbours are a ramp, whatever they are blends of
_LARGEST_UNSETTLED_SHARE = 0.2  # a mask has less edge than this; a photograph has more
_BETWEEN = 0.5  # share of a blend's pixels that lie between their neighbours; of an object's, only those at its edge do
_SHARE_OF_EDGES = 0.05  # of the pixels along edges: what runs along fewer of them is an object, not a soft edge
_FAR_APART = 96.0  # two colours so different leave no doubt on which side a pixel lies
_EDGE_REACH = np.ones((7, 7), np.uint8)  # a thin edge has both sides within three pixels
_STRAY_SHARE = 0.2  # of the unsettled pixels: ringing beside the edges of a JPEG
_SMALLEST_NAMED = 4  # pixels


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


def tabulate(pixels: Pixels) -> Palette:
    """Tell the palette of an image.

    Args:
        pixels: (H, W) grey values of at least 0, or (H, W, 3) uint8 RGB.
    """
    if pixels.ndim == 2:
        values, index, counts = np.unique(pixels, return_inverse=True, return_counts=True)
        colours = values[:, None].astype(np.int64)
    else:
        weights = 256 ** np.arange(2, -1, -1)
        packed = (pixels @ weights.astype(np.uint32)).astype(np.uint32)
        values, index, counts = np.unique(packed, return_inverse=True, return_counts=True)
        colours = values[:, None].astype(np.int64) // weights % 256
    return Palette(colours, index.reshape(pixels.shape[:2]).astype(np.int64), counts.astype(np.int64))


def is_soft(table: Palette, pixels: Pixels) -> bool:
    """Tell whether some values are only blends along edges.

    Objects have an inside, blends do not: a value that nowhere fills 3x3 pixels, whose pixels mostly lie between darker
    and brighter neighbours and which is a mixture of other values is a blend. A thin or tiny object has the background
    around it. Values that differ by next to nothing are one value with compression noise.

    Args:
        table: of the pixels.
        pixels: (H, W) or (H, W, 3).
    """
    if table.colours.shape[1] > 1 and len(table.colours) > _MOST_COLOURS:
        return True
    if _is_noisy(table):
        return True
    suspects = ~_solid(table) & (_share_between(table, pixels) >= _BETWEEN)
    along_edges = int((~_uniform(table.index)).sum())
    if table.counts[suspects].sum() < _SHARE_OF_EDGES * along_edges:
        return False
    if suspects.sum() > _RAMP:
        return True
    others = np.flatnonzero(~suspects)
    others = others[table.counts[others].argsort()[::-1][:_MOST_SOLID]]
    return any(_is_blend(colour, table.colours[others]) for colour in table.colours[suspects])


def snap(table: Palette) -> Palette | None:
    """Give every pixel to one of the few colours the mask is made of.

    With two of them, a pixel goes to the nearer colour: a threshold at half. With more, the blend of two could look
    like a third, so a blended pixel goes to the nearer colour of the regions it touches.

    Returns:
        The palette of those colours; None for a picture that is no mask.
    """
    anchors = _anchors(table)
    grey = table.colours.shape[1] == 1
    if len(anchors) == 1:  # an object so small or thin that nothing of it is solid: its colour is the furthest one
        furthest = int(_distances(table.colours, anchors)[:, 0].argmax())
        anchors = np.unique(np.concatenate([anchors, table.colours[[furthest]]]), axis=0)
    if len(anchors) < 2:
        if not grey:
            return None
        anchors = table.colours[[0, -1]]
    distances = _distances(table.colours, anchors)
    regions = distances.argmin(axis=1)[table.index]
    if not (grey and len(anchors) == 2):
        unsettled = (distances.min(axis=1) > _SETTLED)[table.index]
        if unsettled.mean() > _LARGEST_UNSETTLED_SHARE:
            return None
        if len(anchors) > 2:
            regions = _settle_edges(regions, unsettled, distances, table.index)
    return Palette(anchors, regions, np.bincount(regions.ravel(), minlength=len(anchors)))


def obvious_cut(table: Palette, snapped: Palette) -> bool:
    """Tell whether nobody would cut the mask otherwise: two colours, far apart, with thin edges between them.

    Args:
        table: of the mask as it was drawn.
        snapped: of the mask as `snap` cuts it.
    """
    anchors = snapped.colours
    if len(anchors) != 2 or np.linalg.norm(anchors[1] - anchors[0]) < _FAR_APART:
        return False
    distances = _distances(table.colours, anchors)
    unsettled = (distances.min(axis=1) > _SETTLED)[table.index]
    reached = [cv2.dilate((~unsettled & (snapped.index == side)).astype(np.uint8), _EDGE_REACH) > 0 for side in (0, 1)]
    stray = unsettled & ~(reached[0] & reached[1])
    return bool(stray.sum() <= _STRAY_SHARE * unsettled.sum())


def dropped(table: Palette, pixels: Pixels, snapped: Palette) -> list[tuple[NDArray[np.int64], int]]:
    """List the colours that are no blends and yet are none of those that `snap` found, with their pixels."""
    distances = _distances(table.colours, snapped.colours).min(axis=1)
    own = (distances > _SAME_COLOUR) & (table.counts >= _SMALLEST_NAMED) & (_share_between(table, pixels) < _BETWEEN)
    return [(table.colours[row], int(table.counts[row])) for row in np.flatnonzero(own)]


def _distances(colours: NDArray[np.int64], anchors: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the (N, M) distances from each colour to each anchor."""
    return np.stack([np.linalg.norm(colours - anchor, axis=1) for anchor in anchors], axis=1)


def _is_noisy(table: Palette) -> bool:
    colours = table.colours
    if colours.max() <= _DARKEST_PAINT:
        return False  # ids, not brightnesses
    if colours.shape[1] == 1:
        bright = colours >= 255 - _DARKEST_PAINT
        return bool(
            colours.max() <= 255
            and (bright | (colours <= _DARKEST_PAINT)).all()
            and (bright & (colours < 255)).any()
            and len(colours) > 2
        )
    steps = np.linalg.norm(np.diff(colours, axis=0), axis=1)
    near = np.flatnonzero(steps < _NOISE)
    near = near[table.counts[near].argsort()[::-1]][:_RAMP]
    return any(_is_speckled(table, row, row + 1) for row in near.tolist())


def _is_speckled(table: Palette, first: int, second: int) -> bool:
    """Return whether the rarer of two colours lies mostly beside the other, as noise does."""
    rare, frequent = sorted((first, second), key=lambda row: int(table.counts[row]))
    beside = cv2.dilate((table.index == frequent).astype(np.uint8), _SQUARE) > 0
    return bool(beside[table.index == rare].mean() >= _BETWEEN)


def _share_between(table: Palette, pixels: Pixels) -> NDArray[np.float64]:
    """Return (N,) the share of a colour's pixels that have a darker and a brighter neighbour, in any channel."""
    image = pixels.astype(np.float32)
    between = np.asarray((cv2.erode(image, _SQUARE) < image) & (image < cv2.dilate(image, _SQUARE)))
    in_any_channel = between.reshape(*table.index.shape, -1).any(axis=2)
    found = np.bincount(table.index[in_any_channel], minlength=len(table.colours))
    return np.asarray(found / table.counts)


def _solid(table: Palette) -> NDArray[np.bool_]:
    """Return (N,) whether a colour fills 3x3 pixels somewhere."""
    solid = np.zeros(len(table.colours), np.bool_)
    solid[table.index[_uniform(table.index)]] = True
    return solid


def _uniform(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (H, W) whether the 3x3 pixels around carry one number (what lies beyond the border counts as the same)."""
    image = numbers.astype(np.float32)
    return np.asarray(cv2.erode(image, _SQUARE) == cv2.dilate(image, _SQUARE))


def _is_blend(colour: NDArray[np.int64], others: NDArray[np.int64]) -> bool:
    """Return whether a colour lies on the line between two of the others, and at neither end."""
    start, end = np.triu_indices(len(others), k=1)
    line = (others[end] - others[start]).astype(np.float64)
    offset = colour - others[start]
    along = (offset * line).sum(axis=1) / (line * line).sum(axis=1)
    away = np.linalg.norm(offset - along[:, None] * line, axis=1)
    return bool(((along > 0) & (along < 1) & (away < _ON_SEGMENT)).any())


def _anchors(table: Palette) -> NDArray[np.int64]:
    """Return (M, C) the frequent, solid colours that are neither noise on nor blends of more frequent ones, sorted."""
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
