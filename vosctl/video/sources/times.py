"""When every frame of a source is shown, and which frame a place on the time line means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import UsageError
from vosctl.time_line import Place

RESOLUTION = Fraction(1, 1000)
"""Seconds. Times are written to the millisecond: a frame that begins within the one that is named is shown then."""


def ticks_before(seconds: Fraction, time_base: Fraction) -> int:
    """In units of `time_base`, from the first frame on: what begins before it begins not later than `seconds`."""
    return math.ceil((seconds + RESOLUTION) / time_base)


@dataclass(frozen=True, slots=True, eq=False)
class FrameTimes:
    """The exact times of all frames of a source.

    Attributes:
        pts: (N,) int64, rising, N > 0: when each is shown.
        time_base: seconds per unit of `pts`.
        end: when the last one is no longer shown, in the same unit.
    """

    pts: NDArray[np.int64]
    time_base: Fraction
    end: int

    @classmethod
    def of(cls, pts: NDArray[np.int64], time_base: Fraction, last_duration: int = 0) -> FrameTimes:
        """Return the times of frames whose last one is shown for `last_duration`, as long as most where that is 0."""
        usual = int(np.median(np.diff(pts))) if len(pts) > 1 else 1
        return cls(pts, time_base, int(pts[-1]) + (last_duration or usual))

    def __len__(self) -> int:
        """How many frames there are."""
        return len(self.pts)

    @property
    def seconds(self) -> Fraction:
        """How long the source lasts."""
        return (self.end - int(self.pts[0])) * self.time_base

    def index_of(self, place: Place, what: str) -> int:
        """Return the number of the frame that a place means.

        Args:
            place: the place.
            what: what names it, for the message.

        Raises:
            UsageError: the source ends before it.
        """
        index = self.bound_of(place)
        if index >= len(self):
            raise UsageError(f"{what}: lies beyond the end; {self}")
        return index

    def bound_of(self, place: Place) -> int:
        """Return the number of the frame that a place means; how many there are where it lies at or beyond the end."""
        if place.seconds is None:
            return min(place.frame or 0, len(self))
        if place.seconds >= self.seconds:
            return len(self)
        limit = int(self.pts[0]) + ticks_before(place.seconds, self.time_base)
        return int(np.searchsorted(self.pts, limit)) - 1

    def exceeded_by(self, place: Place) -> bool:
        """Whether a place lies beyond the end, as the end of a range may not."""
        return (place.frame or 0) > len(self) or (place.seconds or 0) > self.seconds + RESOLUTION

    def __str__(self) -> str:
        """Return what the source holds, for messages."""
        frames = f"{len(self)} frame{'s' if len(self) != 1 else ''}"
        return f"the source has {frames}, 0 to {len(self) - 1}, and lasts {float(self.seconds):.3f} s"
