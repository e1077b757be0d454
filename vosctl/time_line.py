"""Places on the time line of a video, as people write them: the number of a frame, or a time.

One grammar for everything that names a place: `120` is a frame, counted from 0; `12.5s`, `1:23.4` (minutes and seconds)
and `1:02:03` (hours, minutes, seconds) are times, counted from the first frame. A time means the frame that is shown
then.
"""

from __future__ import annotations

import operator
import re
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

from vosctl.arguments import whole_number
from vosctl.errors import UsageError

HOW_TO = "give a frame, such as 120, or a time: 12.5s, 1:23.4 or 1:02:03"

_FRAME = re.compile(r"\d{1,9}", re.ASCII)
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,4}):([0-5]?\d)|(\d{1,5})):([0-5]?\d(?:\.\d{1,9})?)", re.ASCII)


def parse_rate(text: str) -> Fraction | None:
    """Read frames per second exactly: 25, 23.976 or 30000/1001; None where it is not a rate that a video can have."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
    return rate.limit_denominator(1_000_000) if Fraction(1, 1000) <= rate <= 1000 else None


@dataclass(frozen=True, slots=True)
class Place:
    """A place on the time line of a video: one of the two is set.

    Attributes:
        frame: the frame's number, from 0.
        seconds: the time from the first frame on, in seconds.
    """

    frame: int | None = None
    seconds: Fraction | None = None

    def __post_init__(self) -> None:
        if (self.frame is None) == (self.seconds is None):
            raise UsageError("a place on the time line is a frame or a time; give one of them")
        if (self.frame or 0) < 0 or (self.seconds or 0) < 0:
            raise UsageError(f"{self}: lies before the first frame; {HOW_TO}")

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read a place as it is written.

        Raises:
            UsageError: it is none.
        """
        written = text.strip()
        if _FRAME.fullmatch(written):
            return cls(frame=int(written))
        if seconds := _SECONDS.fullmatch(written):
            return cls(seconds=Fraction(seconds[1]))
        if clock := _CLOCK.fullmatch(written):
            hours, minutes = int(clock[1] or 0), int(clock[2] or clock[3])
            return cls(seconds=3600 * hours + 60 * minutes + Fraction(clock[4]))
        raise UsageError(f"{text!r}: is no place on the time line; {HOW_TO}")

    @classmethod
    def of(cls, value: PlaceLike) -> Place:
        """Return what a caller gives: a frame's number, a text, or a place.

        Raises:
            UsageError: it is none of them.
        """
        if isinstance(value, Place):
            return value
        if isinstance(value, str):
            return cls.parse(value)
        if not isinstance(value, bool):
            with suppress(TypeError):
                return cls(frame=operator.index(value))  # NumPy's numbers too
        raise UsageError(f"{value!r}: is no place on the time line; {HOW_TO}")

    def __str__(self) -> str:
        """As it is written: "120" or "12.5s"."""
        return str(self.frame) if self.seconds is None else f"{float(self.seconds):.6f}".rstrip("0").rstrip(".") + "s"


PlaceLike = Place | int | str
"""A place, the number of a frame, or what `Place.parse` reads."""

START = Place(frame=0)


@dataclass(frozen=True, slots=True)
class Span:
    """Which frames of a video are wanted.

    Attributes:
        start: the first one; None for the video's first.
        end: the one before which it ends; None for the video's end.
        every: of those, the first, and then one in so many.
    """

    start: Place | None = None
    end: Place | None = None
    every: int = 1

    def __post_init__(self) -> None:
        if whole_number("every", self.every) < 1:
            raise UsageError(f"`every={self.every}`: must be 1 or more")
        start = self.start or START
        if self.end is None:
            return
        for first, last in ((start.frame, self.end.frame), (start.seconds, self.end.seconds)):
            if first is not None and last is not None:
                self.check(first, last)
        if not self.end.frame and not self.end.seconds:
            self.check(0, 0)

    @classmethod
    def of(cls, start: PlaceLike | None = None, end: PlaceLike | None = None, every: int = 1) -> Span:
        """Put together what a caller gives.

        Raises:
            UsageError: a place that is none, or a range without a frame.
        """
        return cls(_named("start", start), _named("end", end), every)

    @property
    def is_whole(self) -> bool:
        """Whether every frame of the video is wanted."""
        return self.start is None and self.end is None and self.every == 1

    def check(self, first: int | Fraction, end: int | Fraction) -> None:
        """Make sure that the span has a frame, now that both its ends are known in the same unit.

        Raises:
            UsageError: it is empty or reversed.
        """
        if end > first:
            return
        wrong = "is before" if end < first else "leaves no frame after"
        raise UsageError(f"`end={self.end}`: {wrong} `start={self.start or START}`; the end itself is not in the range")


def _named(name: str, value: PlaceLike | None) -> Place | None:
    if value is None:
        return None
    try:
        return Place.of(value)
    except UsageError as error:
        raise UsageError(f"`{name}`: {error}") from None
