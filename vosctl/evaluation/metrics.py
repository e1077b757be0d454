"""Region similarity J, boundary accuracy F and their statistics over a sequence, as the DAVIS benchmark defines them.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016, section 5,
and the DAVIS 2017 evaluation toolkit for the cases the paper leaves open (empty masks, the boundary map, the bins).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil, hypot

import cv2
import numpy as np
from numpy.typing import NDArray

BOUNDARY_TOLERANCE = 0.008
"""How far a boundary pixel may lie from the true boundary, as a part of the image's diagonal."""
RECALL_THRESHOLD = 0.5
DECAY_BINS = 4


@dataclass(frozen=True, slots=True)
class Statistics:
    """A measure over the frames of one sequence.

    Attributes:
        mean: 0..1, over the frames.
        recall: 0..1, the part of the frames that lie above `RECALL_THRESHOLD`.
        decay: -1..1, mean of the first quarter of the frames minus mean of the last: what was lost over time.
    """

    mean: float
    recall: float
    decay: float


def statistics(values: NDArray[np.float64]) -> Statistics:
    """Return the mean, recall and decay of one object's measure.

    Args:
        values: (N,) one value a scored frame, in order, N >= 1.

    Neighbouring bins share their border frame, as in the DAVIS toolkit.
    """
    # The toolkit rounds half up (the 1e-10) and counts from one.
    edges = np.round(np.linspace(1, len(values), DECAY_BINS + 1) + 1e-10).astype(int) - 1
    first, last = values[edges[0] : edges[1] + 1], values[edges[-2] : edges[-1] + 1]
    return Statistics(
        mean=float(values.mean()),
        recall=float((values > RECALL_THRESHOLD).mean()),
        decay=float(first.mean() - last.mean()),
    )


def mean_statistics(parts: list[Statistics]) -> Statistics:
    """Return the mean of each of the three figures over objects."""
    mean, recall, decay = np.mean([(part.mean, part.recall, part.decay) for part in parts], axis=0).tolist()
    return Statistics(mean, recall, decay)


def region_and_boundary(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """J and F of one object in one frame, both 0..1.

    Works inside the box around both masks only: nothing outside it counts in either measure.

    Args:
        predicted: (H, W) the object's predicted pixels.
        truth: (H, W) its true pixels.
    """
    height, width = truth.shape
    radius = ceil(BOUNDARY_TOLERANCE * hypot(height, width))
    both = cv2.bitwise_or(predicted.view(np.uint8), truth.view(np.uint8))
    left, top, box_width, box_height = cv2.boundingRect(both)
    if box_width == 0:
        return 1.0, 1.0
    # One pixel of margin: a boundary pixel may lie one to the left of, or above, the mask.
    box = (slice(max(top - 1, 0), top + box_height + 1), slice(max(left - 1, 0), left + box_width + 1))
    inner_predicted, inner_truth = predicted[box].view(np.uint8), truth[box].view(np.uint8)
    intersection = cv2.countNonZero(cv2.bitwise_and(inner_predicted, inner_truth))
    region = intersection / cv2.countNonZero(both[box])
    return region, _boundary_f(boundary_map(inner_predicted), boundary_map(inner_truth), radius)


def boundary_map(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the thin boundary of a mask: pixels that differ from their right, lower or lower right neighbour.

    Args:
        mask: (H, W) of 0 and 1.

    Returns:
        (H, W) of 0 and 1. On the last row and column only the neighbour inside the image is compared; the last
        pixel is never boundary (D. Martin's `seg2bmap`, which the DAVIS toolkit uses).
    """
    following = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    right, lower, diagonal = following[:-1, 1:], following[1:, :-1], following[1:, 1:]
    return np.asarray((mask ^ right) | (mask ^ lower) | (mask ^ diagonal), dtype=np.uint8)


def _boundary_f(predicted: NDArray[np.uint8], truth: NDArray[np.uint8], radius: int) -> float:
    """F measure of two boundary maps that may lie `radius` pixels apart."""
    predicted_count, true_count = cv2.countNonZero(predicted), cv2.countNonZero(truth)
    if predicted_count == 0 or true_count == 0:
        return float(predicted_count == true_count)
    near = _disk(radius)
    precision = cv2.countNonZero(cv2.bitwise_and(predicted, cv2.dilate(truth, near))) / predicted_count
    recall = cv2.countNonZero(cv2.bitwise_and(truth, cv2.dilate(predicted, near))) / true_count
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@cache
def _disk(radius: int) -> NDArray[np.uint8]:
    """Return (2r + 1, 2r + 1) of 0 and 1: pixels whose centre is at most `radius` from the middle's."""
    steps = np.arange(-radius, radius + 1)
    return np.asarray(steps[:, None] ** 2 + steps[None, :] ** 2 <= radius**2, dtype=np.uint8)
