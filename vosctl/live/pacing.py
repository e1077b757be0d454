"""How large a crop a live run can afford: measured on the machine at hand, once, before anything is followed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vosctl.engine.base import Engine
from vosctl.errors import UsageError

SIZES = (192, 224, 256, 288, 320, 352, 384)
"""Sides in pixels to choose from: the networks are trained for 224 to 384, and 192 is what still works."""
NETWORK_SHARE = 0.6
"""Share of the time between two frames that the network may take: the rest captures, draws, writes and shows."""
PATIENCE = 0.8  # seconds to measure for
_STEPS = 3  # timed a size, after one that is not


@dataclass(frozen=True, slots=True)
class Pace:
    """What was measured, and what follows from it.

    Attributes:
        size: side in pixels of the crop, a multiple of 32.
        step: seconds that one step of the network takes at that size, median.
        frame_rate: frames a second of the source.
        objects: how many objects are followed.
        keeps_up: False when not even the smallest size is fast enough.
    """

    size: int
    step: float
    frame_rate: float
    objects: int
    keeps_up: bool

    def __str__(self) -> str:
        figures = f"a step takes {self.step * 1e3:.0f} ms, the source has {self.frame_rate:.4g} fps"
        if self.keeps_up:
            return f"crop of {self.size} pixels: the largest that keeps up here ({figures})"
        return f"crop of {self.size} pixels, the smallest, and still too slow for every frame ({figures})"


@dataclass(frozen=True, slots=True)
class Paces:
    """How long a step with one object takes at each size that was tried, from the smallest up.

    Attributes:
        steps: sizes in pixels and seconds; the last may be too slow, larger ones were not tried.
        frame_rate: frames a second of the source.
    """

    steps: tuple[tuple[int, float], ...]
    frame_rate: float

    def choose(self, objects: int) -> Pace:
        """Return the largest size at which so many objects keep up: each is a step of its own."""
        affordable = NETWORK_SHARE / self.frame_rate / objects
        fast = [(size, step) for size, step in self.steps if step <= affordable]
        size, step = fast[-1] if fast else self.steps[0]
        return Pace(size, objects * step, self.frame_rate, objects, keeps_up=bool(fast))


def measure_paces(engine: Engine[Any], frame_rate: float, *, clock: Callable[[], float] = time.perf_counter) -> Paces:
    """Time a step at growing sizes, for as long as the network keeps up with a source.

    A slow machine is not kept waiting: a size that is too slow is the last, and after `PATIENCE` seconds no other is
    begun.

    Args:
        engine: the network on its backend.
        frame_rate: frames a second of the source, above 0.
        clock: gives the time in seconds.
    """
    spent = 0.0
    steps: list[tuple[int, float]] = []
    refused = False
    for size in (size for size in SIZES if size % engine.stride == 0):
        try:
            step = _time_step(engine, size, clock)
        except UsageError:  # graphs that were exported for one size
            refused = True
            continue
        steps.append((size, step))
        spent += _STEPS * step  # what a runtime does at its first step in a size is not the network's speed
        if step > NETWORK_SHARE / frame_rate or spent > PATIENCE:
            break
    if refused and not steps:
        steps.append((engine.crop_size, _time_step(engine, engine.crop_size, clock)))
    if not steps:
        raise ValueError(f"no size is a multiple of the network's stride of {engine.stride}")
    return Paces(tuple(steps), frame_rate)


def _time_step(engine: Engine[Any], size: int, clock: Callable[[], float]) -> float:
    """Time a step on a made picture, in seconds: what is in it does not change the work."""
    picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    mask = np.zeros((size, size), np.float32)
    mask[size // 4 : -size // 4, size // 4 : -size // 4] = 1
    states = [engine.encode_reference(picture, mask)]
    times = []
    for _ in range(_STEPS + 1):
        begun = clock()
        engine.propagate(picture[None], mask[None], states)
        times.append(clock() - begun)
    return statistics.median(times[1:])
