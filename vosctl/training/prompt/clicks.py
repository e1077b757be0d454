"""Simulated clicks: the first in the middle of the object, the others in the middle of the largest error (RITM)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vosctl.prompts.maps import deepest, draw_clicks

SCRIBBLE_SHARE = 0.15
"""Of the clicks: a short stroke in the error instead of a disc in its middle."""


def add_click(
    prompts: NDArray[np.float32],
    labels: NDArray[np.uint8],
    found: NDArray[np.bool_],
    rng: np.random.Generator,
) -> None:
    """Draw the next click into a sample's maps, in place; none where nothing is wrong.

    Args:
        prompts: (5, S, S), its maps of positive and negative clicks.
        labels: (S, S) uint8: 1 the object, 0 background, 255 void.
        found: (S, S) bool, the mask so far.
        rng: of where exactly it lies.
    """
    missing = (labels == 1) & ~found
    surplus = (labels == 0) & found & (prompts[4] > 0)
    chosen: tuple[float, NDArray[np.bool_], int] = (0.0, missing, 0)
    for error, channel in ((missing, 0), (surplus, 1)):
        depth = deepest(error)[2]
        if depth > chosen[0]:
            chosen = (depth, error, channel)
    depth, error, channel = chosen
    if depth >= 1.5:
        _draw(prompts[channel], error, depth, rng)


def _draw(canvas: NDArray[np.float32], error: NDArray[np.bool_], depth: float, rng: np.random.Generator) -> None:
    distance = np.asarray(cv2.distanceTransform(np.pad(error.astype(np.uint8), 1), cv2.DIST_L2, 3))[1:-1, 1:-1]
    # in the middle, or anywhere near it, as people click
    least = depth * (0.95 if rng.random() < 0.5 else float(rng.uniform(0.3, 0.9)))
    rows, columns = np.nonzero(distance >= least)
    pick = int(rng.integers(rows.size))
    draw_clicks(canvas, [(float(columns[pick]), float(rows[pick]))])
    if rng.random() < SCRIBBLE_SHARE:
        rows, columns = np.nonzero(distance >= 0.5 * depth)
        ends = rng.integers(rows.size, size=2)
        for first, second in ((pick, ends[0]), (ends[0], ends[1])):
            _draw_line(canvas, error, (columns, rows), int(first) % rows.size, int(second))


def _draw_line(
    canvas: NDArray[np.float32],
    error: NDArray[np.bool_],
    places: tuple[NDArray[np.int64], NDArray[np.int64]],
    first: int,
    second: int,
) -> None:
    columns, rows = places
    line = np.zeros(error.shape, np.uint8)
    ends = [(int(columns[place]), int(rows[place])) for place in (first, second)]
    cv2.line(line, ends[0], ends[1], 1, max(2, round(canvas.shape[0] / 64)))
    canvas[(line > 0) & error] = 1.0


def add_clicks(
    prompts: Tensor, labels: Tensor, found: Tensor, wanted: NDArray[np.bool_], rng: np.random.Generator
) -> None:
    """`add_click` for a batch, (N, 5, S, S), (N, 1, S, S) and (N, 1, S, S), where it is wanted."""
    maps, truth, masks = prompts.numpy(), labels.numpy()[:, 0], found.numpy()[:, 0]
    for index in np.flatnonzero(wanted):
        add_click(maps[index], truth[index], masks[index], rng)
