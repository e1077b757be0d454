"""An object's mask from a box, a stroke round it, a few points or painted corrections, by GrabCut.

GrabCut (Rother, Kolmogorov and Blake, SIGGRAPH 2004; OpenCV's implementation) separates colours inside from colours
outside. It runs on the object's neighbourhood at a small size, which takes a fraction of a second at any resolution;
the edge is then smooth rather than exact, which is what a first mask needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.errors import UsageError
from vosctl.types import Box, Mask, Point, RGBImage

WORK_SIDE = 320
"""Pixels of the longer side GrabCut runs at."""
_POINTS_SIDE = 224
"""The same for points, where it runs on the whole picture and several times."""
_ITERATIONS = 5
_MARGIN = 0.3
"""Of the box's size, kept round it so that there is background to learn from."""
_LEAST_SIDE = 4
_POINT_RADIUS = 1 / 100
"""Of the picture's shorter side: the disc round a point that is taken to be of one kind with it."""
_REACHES = (0.06, 0.1, 0.16, 0.25, 0.4)
"""Of the picture's longer side: how far an object may reach from the points on it."""
_STRONG_EDGE = 40.0
"""Colour gradient (CIE Lab, 8 bits) above which an edge is as good as any."""
_SQUARE = np.ones((3, 3), np.uint8)
_SPECK = 0.02
"""Share of the largest piece below which a piece of a mask is noise."""

_BACKGROUND, _OBJECT = cv2.GC_BGD, cv2.GC_FGD
_MAYBE_BACKGROUND, _MAYBE_OBJECT = cv2.GC_PR_BGD, cv2.GC_PR_FGD


def mask_from_box(image: RGBImage, box: Box) -> Mask:
    """Find the object inside a box drawn round it.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: x, y, width, height in pixels; what lies outside the picture is cut off.

    Returns:
        (H, W) bool, with at least one true pixel.

    Raises:
        UsageError: the box is too small or outside the picture, or no object in it can be distinguished from its
            surroundings.
    """
    height, width = image.shape[:2]
    x, y, box_width, box_height = box
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + box_width, width), min(y + box_height, height)
    if right - left < _LEAST_SIDE or bottom - top < _LEAST_SIDE:
        raise UsageError(
            f"box {','.join(map(str, box))}: covers less than {_LEAST_SIDE}x{_LEAST_SIDE} pixels of the "
            f"{width}x{height} picture; draw it round the object"
        )
    guess = np.full((height, width), _BACKGROUND, np.uint8)
    guess[top:bottom, left:right] = _MAYBE_OBJECT
    return _without_specks(_cut(image, guess, (left, top, right - left, bottom - top), "box"))


def mask_from_stroke(image: RGBImage, stroke: Sequence[Point]) -> Mask:
    """Find the object inside a closed line drawn round it.

    Args:
        image: (H, W, 3) uint8 RGB.
        stroke: the line's points (x, y) in pixels; its ends are joined.

    Returns:
        (H, W) bool, with at least one true pixel.

    Raises:
        UsageError: the line encloses next to nothing, or no object can be distinguished from its surroundings in it.
    """
    height, width = image.shape[:2]
    inside = np.zeros((height, width), np.uint8)
    if len(stroke) >= 3:
        cv2.fillPoly(inside, [np.array(stroke, np.int32)], 1)
    if np.count_nonzero(inside) < _LEAST_SIDE**2:
        raise UsageError("stroke: encloses next to nothing; draw it all the way round the object")
    guess = np.where(inside > 0, np.uint8(_MAYBE_OBJECT), np.uint8(_BACKGROUND))
    return _without_specks(_cut(image, guess, _box_of(inside > 0), "stroke"))


def mask_from_points(image: RGBImage, foreground: Sequence[Point], background: Sequence[Point] = ()) -> Mask:
    """Find the object that points lie on.

    How far the object reaches from its points is not known, so several reaches are tried, and the mask is taken whose
    outline lies on the strongest edges of the picture. One point can mean a part or the whole: a box says more.

    Args:
        image: (H, W, 3) uint8 RGB.
        foreground: points (x, y) on the object, at least one; the object is taken to fill what lies between them.
        background: points beside it.

    Returns:
        (H, W) bool, with at least one true pixel.

    Raises:
        UsageError: no point on the object, a point outside the picture, or nothing to tell the object by.
    """
    height, width = image.shape[:2]
    if not foreground:
        raise UsageError("points: none of them is on the object; give at least one without :-")
    for x, y in (*foreground, *background):
        if not (0 <= x < width and 0 <= y < height):
            raise UsageError(f"point {x},{y}: lies outside the {width}x{height} picture")
    small, scale = _shrink(image, _POINTS_SIDE)
    on = [(int(x * scale), int(y * scale)) for x, y in foreground]
    beside = [(int(x * scale), int(y * scale)) for x, y in background]
    masks = [
        (mask, reach)
        for reach in _reaches(small.shape[:2], on)
        if (mask := _within(small, reach, on, beside)) is not None
    ]
    if not masks:
        raise _nothing("points")
    gradient = _colour_gradient(small)
    best, _ = max(masks, key=lambda pair: _edge_strength(gradient, *pair))
    return _enlarge(best, (height, width))


def _reaches(size: tuple[int, ...], points: Sequence[Point]) -> Iterator[Mask]:
    """Growing neighbourhoods of the points' hull."""
    hull = np.zeros(size, np.uint8)
    cv2.fillPoly(hull, [cv2.convexHull(np.array(points, np.int32))], 1)
    discs(hull, points, 1, 1)
    distance = cv2.distanceTransform(1 - hull, cv2.DIST_L2, 5)
    for share in _REACHES:
        yield distance <= share * max(size)


def _within(image: RGBImage, reach: Mask, foreground: Sequence[Point], background: Sequence[Point]) -> Mask | None:
    guess = np.where(reach, np.uint8(_MAYBE_OBJECT), np.uint8(_BACKGROUND))
    radius = max(2, round(min(guess.shape) * _POINT_RADIUS))
    discs(guess, background, radius, _BACKGROUND)
    discs(guess, foreground, radius, _OBJECT)
    return _pieces_at(_grab_cut(image, guess), foreground)


def _colour_gradient(image: RGBImage) -> NDArray[np.float32]:
    lab = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), (0, 0), 1.0)
    return np.asarray(np.linalg.norm(cv2.morphologyEx(lab, cv2.MORPH_GRADIENT, _SQUARE), axis=2), np.float32)


def _edge_strength(gradient: NDArray[np.float32], mask: Mask, reach: Mask) -> float:
    """Return the mean gradient along the mask's outline; the parts that only `reach` cuts count as none."""
    solid = mask.astype(np.uint8)
    outline = cv2.erode(solid, _SQUARE, borderValue=1) < solid
    if not outline.any():
        return 0.0
    free = cv2.erode(reach.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1) > 0
    return float(np.where(free, np.minimum(gradient, _STRONG_EDGE), 0)[outline].mean())


def refine_mask(
    image: RGBImage, mask: Mask, foreground: Iterable[Point], background: Iterable[Point], radius: int
) -> Mask:
    """Correct a mask by what was painted on it.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, the mask so far.
        foreground: points (x, y) painted as object.
        background: points (x, y) painted as background.
        radius: of the brush, in pixels.

    Returns:
        (H, W) bool, with at least one true pixel. Far from the paint the mask stays as it was.

    Raises:
        UsageError: nothing of the object is left.
    """
    paint = np.zeros(mask.shape, np.uint8)
    discs(paint, foreground, radius, 1)
    discs(paint, background, radius, 2)
    near = cv2.dilate((paint > 0).astype(np.uint8), np.ones((3, 3), np.uint8), iterations=3 * radius) > 0
    guess = np.where(mask, np.uint8(_OBJECT), np.uint8(_BACKGROUND))
    guess[near & mask] = _MAYBE_OBJECT
    guess[near & ~mask] = _MAYBE_BACKGROUND
    guess[paint == 1] = _OBJECT
    guess[paint == 2] = _BACKGROUND
    if not (guess & 1).any():
        raise UsageError("nothing of the object is left; draw it anew")
    corrected = _cut(image, guess, _box_of(mask | (paint == 1)), "paint")
    refined = np.where(near, corrected, mask)
    refined[paint == 1] = True
    refined[paint == 2] = False
    if not refined.any():
        raise UsageError("nothing of the object is left; draw it anew")
    return refined


def discs(canvas: NDArray[np.uint8] | NDArray[np.int32], points: Iterable[Point], radius: int, value: int) -> None:
    """Draw a filled disc of `radius` pixels round each point, in place."""
    for point in points:
        cv2.circle(canvas, point, radius, value, -1)


def _cut(image: RGBImage, guess: NDArray[np.uint8], box: Box, what: str) -> Mask:
    """GrabCut in the neighbourhood of `box`; `guess` is (H, W) of OpenCV's four values."""
    height, width = guess.shape
    x, y, box_width, box_height = box
    across, down = max(8, round(box_width * _MARGIN)), max(8, round(box_height * _MARGIN))
    left, top = max(x - across, 0), max(y - down, 0)
    right, bottom = min(x + box_width + across, width), min(y + box_height + down, height)
    small, _ = _shrink(image[top:bottom, left:right])
    rows, columns = small.shape[:2]
    small_guess = cv2.resize(guess[top:bottom, left:right], (columns, rows), interpolation=cv2.INTER_NEAREST)
    found = _grab_cut(small, np.asarray(small_guess, np.uint8))
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = _enlarge(found, (bottom - top, right - left))
    if not mask.any():
        raise _nothing(what)
    return mask


def _grab_cut(image: RGBImage, guess: NDArray[np.uint8]) -> Mask:
    """Return (H, W) bool, perhaps empty."""
    if (guess & 1).all():  # the object fills the picture: its edge is all there is to learn background from
        guess[0, :] = guess[-1, :] = guess[:, 0] = guess[:, -1] = _BACKGROUND
    if not (guess & 1).any() or (guess & 1).all():
        return np.zeros(guess.shape, bool)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # its clustering starts from random colours
    result, _, _ = cv2.grabCut(image, guess, (0, 0, 1, 1), *models, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return np.isin(np.asarray(result), (_OBJECT, _MAYBE_OBJECT))


def _without_specks(mask: Mask) -> Mask:
    """Without specks and pinholes."""
    whole = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, _SQUARE)
    count, pieces, facts, _ = cv2.connectedComponentsWithStats(whole)
    if count == 1:
        return mask
    areas = facts[:, cv2.CC_STAT_AREA]
    return np.isin(pieces, [piece for piece in range(1, count) if areas[piece] >= _SPECK * areas[1:].max()])


def _pieces_at(mask: Mask, points: Sequence[Point]) -> Mask | None:
    """Return the pieces of a mask that hold one of the points; None when there are none."""
    whole = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, _SQUARE)
    _, pieces = cv2.connectedComponents(whole)
    kept = {int(pieces[y, x]) for x, y in points} - {0}
    return np.isin(pieces, sorted(kept)) if kept else None


def _shrink(image: RGBImage, side: int = WORK_SIDE) -> tuple[RGBImage, float]:
    scale = min(1.0, side / max(image.shape[:2]))
    if scale == 1.0:
        return np.ascontiguousarray(image), scale
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _enlarge(mask: Mask, size: tuple[int, int]) -> Mask:
    if mask.shape == size:
        return mask
    height, width = size
    return np.asarray(cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)) > 0.5


def _box_of(mask: Mask) -> Box:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return x, y, width, height


def _nothing(what: str) -> UsageError:
    return UsageError(
        f"{what}: no object can be distinguished from its surroundings there; draw it more closely or give a mask"
    )
