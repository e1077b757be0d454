"""How large a crop a live run can afford: measured on the machine at hand, once, before anything is followed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vosctl.engine.base import Engine
from vosctl.engine.on_device import Carried, Look, bucket_of, follows_on_device
from vosctl.errors import UsageError
from vosctl.tracking.crop import FILL
from vosctl.types import RGBImage, SoftMask

SIZES = (192, 224, 256, 288, 320, 352, 384)
"""Sides in pixels to choose from: the networks are trained for 224 to 384, and 192 is what still works."""
NETWORK_SHARE = 0.6
"""Share of the time between two frames that the network may take: the rest captures, smooths, draws, writes, shows."""
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
        on_device: whether objects are followed on the engine's device, where a step has room for certain numbers of
            objects, and takes as long for fewer.
    """

    steps: tuple[tuple[int, float], ...]
    frame_rate: float
    on_device: bool = False

    def choose(self, objects: int) -> Pace:
        """Return the largest size at which so many objects keep up: each takes as long as one alone."""
        room = bucket_of(objects) if self.on_device else objects
        affordable = NETWORK_SHARE / self.frame_rate / room
        fast = [(size, step) for size, step in self.steps if step <= affordable]
        size, step = fast[-1] if fast else self.steps[0]
        return Pace(size, room * step, self.frame_rate, objects, keeps_up=bool(fast))


def measure_paces(
    engine: Engine[Any],
    frame_rate: float,
    *,
    on_device: tuple[int, int] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Paces:
    """Time a step at growing sizes, for as long as the network keeps up with a source.

    A slow machine is not kept waiting: a size that is too slow is the last, and after `PATIENCE` seconds no other is
    begun.

    Args:
        engine: the network on its backend.
        frame_rate: frames a second of the source, above 0.
        on_device: height and width of the frames, where objects are followed on the engine's device: what is timed then
            is all that is done there, with the frame's way up and the masks' way back. None for the plain path.
        clock: gives the time in seconds.

    Raises:
        UsageError, VosctlError: the engine does not follow on its device, or not here.
    """

    def timed(size: int) -> float:
        if on_device is None:
            return _median(_step(engine, size), clock)
        return _median(_frame_on_device(engine, size, *on_device), clock)

    spent = 0.0
    steps: list[tuple[int, float]] = []
    refused = False
    for size in (size for size in SIZES if size % engine.stride == 0):
        try:
            step = timed(size)
        except UsageError:  # graphs that were exported for one size
            refused = True
            continue
        steps.append((size, step))
        spent += _STEPS * step  # what a runtime does at its first step in a size is not the network's speed
        if step > NETWORK_SHARE / frame_rate or spent > PATIENCE:
            break
    if refused and not steps:
        steps.append((engine.crop_size, timed(engine.crop_size)))
    if not steps:
        raise ValueError(f"no size is a multiple of the network's stride of {engine.stride}")
    return Paces(tuple(steps), frame_rate, on_device is not None)


def _median(step: Callable[[], object], clock: Callable[[], float]) -> float:
    """Time a step, in seconds; the first one does not count."""
    times = []
    for _ in range(_STEPS + 1):
        begun = clock()
        step()
        times.append(clock() - begun)
    return statistics.median(times[1:])


def _object(size: int) -> tuple[RGBImage, SoftMask]:
    """Make a picture and the mask of an object in it: what they show does not change the work."""
    mask = np.zeros((size, size), np.float32)
    mask[size // 4 : -size // 4, size // 4 : -size // 4] = 1
    return _noise(size, size), mask


def _noise(height: int, width: int) -> RGBImage:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def _step(engine: Engine[Any], size: int) -> Callable[[], object]:
    """Return one step of the network."""
    picture, mask = _object(size)
    states = [engine.encode_reference(picture, mask)]
    return lambda: engine.propagate(picture[None], mask[None], states)


def _frame_on_device(engine: Engine[Any], size: int, height: int, width: int) -> Callable[[], object]:
    """Return all that is done for a frame on the engine's device."""
    crops = follows_on_device(engine).open_crops(height, width, size, FILL)
    picture, mask = _object(size)
    crops.take([Carried(engine.encode_reference(picture, mask), mask)])
    frame, square = _noise(height, width), ((width - size) // 2, (height - size) // 2, size)

    def follow() -> object:
        crops.send(frame)
        return crops.look([Look(1, square, square)])().arrive()

    return follow
