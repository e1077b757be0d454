"""How long the steps of engines take, compared on one machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.engine.base import Engine


def step_times(
    engines: Sequence[Engine[Any]],
    image: NDArray[Any],
    mask: NDArray[np.float32],
    *,
    rounds: int,
    steps: int = 1,
    ignored: int = 0,
) -> list[float]:
    """Return the median seconds of a step of each engine on one object, timed by turns, so that other work slows all.

    Args:
        engines: the engines.
        image: (H, W, 3), as they take it.
        mask: (H, W) float32 in [0, 1].
        rounds: turns of each engine.
        steps: of a turn.
        ignored: how many of a turn's first steps do not count: they find the others' threads still at work.
    """
    states = [engine.encode_reference(image, mask) for engine in engines]
    seconds: list[list[float]] = [[] for _ in engines]
    for _ in range(rounds):
        for engine, state, taken in zip(engines, states, seconds, strict=True):
            for step in range(steps):
                start = time.perf_counter()
                engine.propagate(image[None], mask[None], [state])
                if step >= ignored:
                    taken.append(time.perf_counter() - start)
    return [float(np.median(taken)) for taken in seconds]
