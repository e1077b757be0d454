"""What a JPEG does to a map of ids: specks along the edges, whose values lie one beside those around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FEWEST_SPECKS = 10
"""Of one value beside one other, to be no accident."""
_FEWEST_PAIRS = 4
"""Of values one apart that specks are of. Thin parts of objects with neighbouring numbers make one or two."""


def has_specks(values: NDArray[np.int64] | NDArray[np.uint8]) -> bool:
    """Return whether a map of ids was compressed with loss, though its file is not.

    Where an object was drawn or found, pixels thinner than two either way are rare, and are of few values. A JPEG puts
    them along every edge, and gives them values that are one more or one less than what is beside them.

    Args:
        values: (H, W) of at least 2 x 2.
    """
    if min(values.shape) < 3:
        return False
    thin = _thin(values)
    whole = values.astype(np.int64)
    pairs: set[tuple[int, int]] = set()
    for rows, columns in ((1, 0), (0, 1)):
        height, width = values.shape[0] - rows, values.shape[1] - columns
        one, other = whole[:height, :width], whole[rows:, columns:]
        first, second = thin[:height, :width], thin[rows:, columns:]
        near = np.abs(one - other) == 1
        for speck, beside, chosen in ((one, other, first & ~second), (other, one, second & ~first)):
            steps = np.stack([speck[near & chosen], beside[near & chosen]])
            found, counts = np.unique(steps, axis=1, return_counts=True)
            pairs.update((int(a), int(b)) for a, b in found[:, counts >= _FEWEST_SPECKS].T)
    return len(pairs) >= _FEWEST_PAIRS


def _thin(values: NDArray[np.int64] | NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the pixels that are in no square of 2 x 2 of one value."""
    corner = values[1:, 1:]
    even = (corner == values[:-1, :-1]) & (corner == values[1:, :-1]) & (corner == values[:-1, 1:])
    thin = np.ones(values.shape, np.bool_)
    for part in (thin[1:, 1:], thin[:-1, :-1], thin[1:, :-1], thin[:-1, 1:]):
        part[even] = False
    return thin
