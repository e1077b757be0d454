"""Many objects in parts: what a batch takes in memory grows with it, and on a CPU a larger one is not faster."""

from __future__ import annotations

from itertools import pairwise

PART_PIXELS = 4 * 320 * 320
"""Pixels that go through a network on a CPU at once: 4 objects in crops of the default size."""


def largest_part(height: int, width: int) -> int:
    """Return how many objects, in images of one size, go through a network on a CPU at once."""
    return max(1, PART_PIXELS // (height * width))


def even_parts(objects: int, most: int) -> list[slice]:
    """Divide objects into as few parts of at most `most` as there can be, which differ by one object at most."""
    parts = max(1, -(-objects // most))
    ends = [objects * part // parts for part in range(parts + 1)]
    return [slice(start, end) for start, end in pairwise(ends)]
