"""Where each pixel of a crop, a mask and the labelled frame is sampled, as numbers for the device: plain NumPy.

Every resampling of an image is linear along each axis: output i is at the place `start + step * i` on an axis of blocks
of pixels, each block `block` pixels wide, the first one beginning at `origin`; places outside `low`..`high` are moved
to those. So one row of six numbers says all of it, whatever the crop's side, and a step has the same shapes for any.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vosctl.engine.on_device import Look

ROW = 6  # start, step, low, high, origin, block
CUT, BACK = 6, 2  # rows an object for what is cut out (luma, chroma, guidance) and for what goes back, y then x each
FLAGS = 3  # id, remember, active
PAIR = 4  # start y, start x, step, counts
FAR = 1e9
AREA_CHROMA = 4  # crop sides over their size from which chroma is cut like luma, on whole pixels


def table_length(bucket: int) -> int:
    """Return how many numbers describe one frame's looks."""
    return bucket * ((CUT + BACK) * ROW + FLAGS) + bucket * bucket * PAIR


def fill_table(table: NDArray[np.float32], looks: Sequence[Look], bucket: int, size: int) -> None:
    """Write the looks of one frame into a table for `bucket` objects; what is left over is inactive.

    Args:
        table: (`table_length`,) float32; rows (bucket, 6, ROW), rows (bucket, 2, ROW), flags (bucket, 3), then pairs
            (bucket, bucket, 4): how object j is seen from object i's crop.
        looks: one an object.
        bucket: objects that the table is for.
        size: side in pixels of the crops as the network sees them.
    """
    cut, back, flags, pairs = parts_of(table, bucket)
    resting = linear_row(0.0, 1.0)
    cut[:], back[:], flags[:], pairs[:] = resting, resting, 0, 0
    for index, look in enumerate(looks):
        (x, y, side), (seen_x, seen_y, seen_side) = look.crop, look.seen_in
        scale = size / seen_side
        cut[index, 0], cut[index, 1] = area_row(y, side, size), area_row(x, side, size)
        cut[index, 2], cut[index, 3] = chroma_row(y, side, size), chroma_row(x, side, size)
        zoom = side / size * scale
        cut[index, 4] = linear_row((y - seen_y) * scale + 0.5 * zoom - 0.5, zoom)
        cut[index, 5] = linear_row((x - seen_x) * scale + 0.5 * zoom - 0.5, zoom)
        zoom = size / side
        back[index, 0] = linear_row((0.5 - y) * zoom - 0.5, zoom)
        back[index, 1] = linear_row((0.5 - x) * zoom - 0.5, zoom)
        flags[index] = look.id, look.remember, 1
    if len(looks) > 1:
        pairs[: len(looks), : len(looks)] = _pairs(looks, size)


def _pairs(looks: Sequence[Look], size: int) -> NDArray[np.float64]:
    """Return (n, n, PAIR): how object j is seen from object i's crop, and whether it counts there."""
    x, y, side = np.array([look.crop for look in looks], np.float64).T
    yields = np.array([look.yields for look in looks])
    zoom = side[:, None] / side
    starts = [(edge[:, None] - edge) * size / side + 0.5 * zoom - 0.5 for edge in (y, x)]
    reach = [edge[:, None] < edge + side for edge in (y, x)]
    overlap = reach[0] & reach[0].T & reach[1] & reach[1].T
    counts = overlap & (yields[:, None] | ~yields) & ~np.eye(len(looks), dtype=bool)
    return np.stack((*starts, zoom, counts), axis=2)


def parts_of(table: NDArray[np.float32], bucket: int) -> tuple[NDArray[np.float32], ...]:
    """Return the parts of a table, as views: see `fill_table`."""
    shapes = ((bucket, CUT, ROW), (bucket, BACK, ROW), (bucket, FLAGS), (bucket, bucket, PAIR))
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return tuple(part.reshape(shape) for part, shape in zip(np.split(table, ends[:-1]), shapes, strict=True))


def linear_row(start: float, step: float) -> tuple[float, ...]:
    """Return a row of sampling between neighbouring pixels, with nothing beyond the ends."""
    return start, step, -FAR, FAR, 0.0, 1.0


def area_row(origin: int, side: int, size: int) -> tuple[float, ...]:
    """Return a row of what shrinks `side` pixels from `origin` on to `size`: halved while that goes, then linear."""
    block, count = 1, side
    while count >= 2 * size and count % 2 == 0:
        block, count = 2 * block, count // 2
    zoom = count / size
    return 0.5 * zoom - 0.5, zoom, 0.0, count - 1.0, float(origin), float(block)


def chroma_row(origin: int, side: int, size: int) -> tuple[float, ...]:
    """Return the row of a plane of half the frame's size, for an origin and a side in the frame's pixels."""
    if side >= AREA_CHROMA * size:
        return area_row(origin // 2, side // 2, size)
    zoom = side / size / 2
    return linear_row(origin / 2 + 0.5 * zoom - 0.5, zoom)
