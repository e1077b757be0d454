"""What a run came to: frames, speed, outputs, and which object was lost when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vosctl.engine.base import EngineInfo
from vosctl.tracking.results import ObjectStatus, TrackedFrame

MOST_RANGES = 32
"""Ranges of an object that are kept one by one; a run without end may have any number."""


@dataclass(frozen=True, slots=True)
class Losses:
    """When one object was lost.

    Attributes:
        frames: in how many frames.
        ranges: the first and the last frame of each stretch, the first `MOST_RANGES` of them.
        more: how many stretches came after those.
    """

    frames: int
    ranges: tuple[tuple[int, int], ...]
    more: int = 0

    def __str__(self) -> str:
        """Return the frames as a person writes them: "12-40, 60"."""
        named = [str(first) if first == last else f"{first}-{last}" for first, last in self.ranges]
        if self.more:
            named.append(f"{self.more} more")
        return ", ".join(named)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to.

    Attributes:
        frames: frames read, tracked and written.
        seconds: wall time from the first frame asked for to the last output renamed; loading is not in it.
        p50: median time to track a frame, in seconds.
        p95: 95th percentile of it, in seconds.
        outputs: what was written.
        engine: the engine, device and precision really used; None where no network ran.
        crop_size: side in pixels of the square that the network saw of each object; None on the full frame.
        losses: by object, when it was lost; objects that never were are not in it.
        drawn: of the frames, those of which a track had the result already.
    """

    frames: int
    seconds: float
    p50: float
    p95: float
    outputs: tuple[Path, ...]
    engine: EngineInfo | None = None
    crop_size: int | None = None
    losses: Mapping[int, Losses] = field(default_factory=dict)
    drawn: int = 0

    @property
    def frames_per_second(self) -> float:
        """End to end: decoding, tracking what is not drawn, and writing every output."""
        return self.frames / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class _Count:
    frames: int = 0
    ranges: list[tuple[int, int]] = field(default_factory=list)
    more: int = 0


class LossRecord:
    """Counts, frame by frame, which objects are lost; in bounded memory.

    Attributes:
        objects: that there were so far.
    """

    def __init__(self) -> None:
        self.objects: set[int] = set()
        self._lost: frozenset[int] = frozenset()
        self._counts: dict[int, _Count] = {}

    def see(self, result: TrackedFrame, index: int) -> tuple[list[int], list[int]]:
        """Take in the result of frame `index`.

        Returns:
            The objects lost in it that were not before, and those found again, both in order.
        """
        return self.see_statuses({one.id: one.status for one in result.objects}, index)

    def see_statuses(self, statuses: Mapping[int, ObjectStatus], index: int) -> tuple[list[int], list[int]]:
        """Take in how the objects fare in frame `index`; see `see`."""
        lost = frozenset(key for key, status in statuses.items() if status == "lost")
        present = set(statuses)
        self.objects |= present
        appeared = sorted(lost - self._lost)
        found = sorted((self._lost - lost) & present)
        for object_id in lost:
            self._count(object_id, index, new=object_id not in self._lost)
        self._lost = lost
        return appeared, found

    def _count(self, object_id: int, index: int, *, new: bool) -> None:
        count = self._counts.setdefault(object_id, _Count())
        count.frames += 1
        if not new and count.more == 0:
            count.ranges[-1] = (count.ranges[-1][0], index)
        elif new and len(count.ranges) < MOST_RANGES:
            count.ranges.append((index, index))
        elif new:
            count.more += 1

    @property
    def losses(self) -> dict[int, Losses]:
        """When each object was lost, by its id."""
        return {
            object_id: Losses(count.frames, tuple(count.ranges), count.more)
            for object_id, count in sorted(self._counts.items())
        }
