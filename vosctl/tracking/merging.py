"""Merging of several objects, each propagated on its own, so that no pixel belongs to two of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EPSILON = np.float32(1e-7)


def soft_aggregation(
    probabilities: NDArray[np.float32], background: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Soft aggregation (RGMP section 3.4, as in the official release): softmax over the objects' logits.

    Args:
        probabilities: (N, ...) in [0, 1], each object's own probability.
        background: (...) in [0, 1], the background's probability; by default the product of the objects' complements.

    Returns:
        (N + 1, ...), background first; sums to 1 over the first axis.
    """
    if background is None:
        background = np.prod(1 - probabilities, axis=0, dtype=np.float32)
    stacked = np.concatenate((background[None], probabilities))
    np.clip(stacked, EPSILON, 1 - EPSILON, out=stacked)
    odds = stacked / (1 - stacked)  # the softmax of logits is the odds' share
    merged: NDArray[np.float32] = odds / odds.sum(axis=0)
    return merged
