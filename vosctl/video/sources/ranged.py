"""A part of a source: from one place to another, and of that every frame or one in so many."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

from vosctl.errors import UsageError
from vosctl.time_line import Place, Span
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.sources.base import Source
from vosctl.video.sources.times import FrameTimes, ticks_before


class RangedSource(Source):
    """The frames of a span, with the numbers and times that they have in the source.

    A seekable source is entered at the key frame before the span; of another the frames before it are read and left.

    Args:
        source: not read yet; closed with this one.
        span: what is wanted of it.
        timed: whether more is asked for by its time. Where there is a time, each frame of a source that is read once
            waits for the next one, which says how long it is shown: its own word does not hold in a variable frame
            rate.

    Attributes:
        zero: when the source's first frame is shown, from which times are counted; None before it is read.

    Raises:
        UsageError: the span has no frame; of a source that is not seekable this shows only when it is read.
        VosctlError: the source cannot be read.
    """

    def __init__(self, source: Source, span: Span, *, timed: bool = False) -> None:
        super().__init__()
        self._source, self._span = source, span
        self.files = source.files
        self._bounds: tuple[int, int] | None = None
        self._entered = False
        self.zero: int | None = None
        timed = timed or any(place is not None and place.seconds is not None for place in (span.start, span.end))
        self._timed = timed
        if source.is_seekable and (span.start is not None or timed):
            self._bounds = self._find(source.times())
        self.info = self._described()

    def _find(self, times: FrameTimes) -> tuple[int, int]:
        """Return the first frame of the span and the one at which it ends."""
        span = self._span
        first = 0 if span.start is None else times.index_of(span.start, f"`start={span.start}`")
        if span.end is None:
            return first, len(times)
        end = times.bound_of(span.end)
        span.check(first, end)
        if times.exceeded_by(span.end):
            self._notes.append(f"`end={span.end}`: lies beyond the end; {times}")
        return first, end

    def _described(self) -> SourceInfo:
        info, span = self._source.info, self._span
        count = self._expected()
        begins = None
        if span.start is not None:
            begins = Fraction(0)
            if self._bounds is not None:
                begins = int(self._source.times().pts[self._bounds[0]]) * info.time_base
        return replace(
            info,
            frame_rate=info.frame_rate / span.every if info.frame_rate else None,
            frame_count=None if count is None else math.ceil(count / span.every),
            cut_at=begins,
            every=span.every,
        )

    def _expected(self) -> int | None:
        """About how many frames the span has before one in so many is taken; None when nobody knows."""
        if self._bounds is not None:
            return self._bounds[1] - self._bounds[0]
        rate, count = self._source.info.frame_rate, self._source.info.frame_count
        first, end = (_about(place, rate) for place in (self._span.start or Place(frame=0), self._span.end))
        ends = [one for one in (end, count) if one is not None]
        return max(1, min(ends) - (first or 0)) if ends else None

    @property
    def warnings(self) -> list[str]:
        """See `Source.warnings`."""
        return [*self._source.warnings, *super().warnings]

    @property
    def is_seekable(self) -> bool:
        """See `Source.is_seekable`. The numbers of the frames are those of the whole source."""
        return self._source.is_seekable

    @property
    def bounds(self) -> tuple[int, int]:
        """The first frame of the span and the one at which it ends, of a source that is seekable."""
        if self._bounds is None:
            self._bounds = self._find(self._source.times())
        return self._bounds

    @property
    def every(self) -> int:
        """One in so many frames of the span is taken."""
        return self._span.every

    @property
    def first_frame(self) -> int | None:
        """The number of the first frame of the span; None where it is not known before it comes."""
        if self._bounds is not None:
            return self._bounds[0]
        return 0 if self._span.start is None else self._span.start.frame

    def check_reads(self, number: int, what: str) -> None:
        """Make sure that frame `number` is one of the span, as far as that is known.

        Raises:
            UsageError: it is not; `what` names what asks for it.
        """
        span = self._span
        first, end = self.bounds if self.is_seekable else (self.first_frame, span.end.frame if span.end else None)
        if (first is not None and number < first) or (end is not None and number >= end):
            last = "" if end is None else f" to {end - 1}"
            raise UsageError(f"{what}: frame {number} is not in the range, which goes from {first or 0}{last}")
        if first is not None and (number - first) % span.every:
            before = number - (number - first) % span.every
            raise UsageError(
                f"{what}: `every={span.every}` leaves frame {number} out; the next ones are {before} and "
                f"{before + span.every}"
            )

    @property
    def has_one_size(self) -> bool:
        """See `Source.has_one_size`."""
        return self._source.has_one_size

    def check_sizes(self, count: int | None = None, begin: int = 0) -> None:
        """See `Source.check_sizes`: of those of the span; `begin` is the first one's number in the whole source."""
        if not self.has_one_size:  # a video would be looked through for its bounds
            first, end = self.bounds
            first = max(first, begin)
            most = max(end - first, 0)
            self._source.check_sizes(most if count is None else min(most, count * self._span.every), first)

    def _look_through(self) -> FrameTimes:
        return self._source.times()

    def _frames(self, begin: int) -> Generator[Frame, None, None]:
        frames = self._of_span(begin)
        if self._span.every == 1:
            yield from frames
            return
        # One is held back until it is known how long it is shown: until the next one, or to the end of the span.
        held: Frame | None = None
        last: Frame | None = None
        origin = None if self._bounds is None else self._bounds[0]
        for frame in frames:
            origin = frame.index if origin is None else origin
            if (frame.index - origin) % self._span.every == 0:
                if held is not None:
                    yield replace(held, duration=frame.pts - held.pts)
                held = frame
            last = frame
        if held is not None and last is not None:
            yield replace(held, duration=last.pts + last.duration - held.pts if last.duration else 0)

    def _of_span(self, begin: int) -> Iterator[Frame]:
        """Every frame of the span from number `begin` on."""
        if self._bounds is None and not begin and not self._entered:
            yield from self._as_they_come()
            return
        first, end = self.bounds
        if begin > first:  # one in so many is counted from the span's start
            first += math.ceil((begin - first) / self._span.every) * self._span.every
        if first >= end:
            return
        if first or self._entered:
            self._source.seek(first)
        self._entered = True
        goes_on = end < len(self._source.times())
        for frame in self._source:
            if frame.index >= end:
                return
            yield frame
            if goes_on and frame.index + 1 >= end:  # what comes then may not even be readable
                return

    def _as_they_come(self) -> Iterator[Frame]:
        """Yield the span of a source that is read once: it is not known yet where its places are."""
        start, end = self._span.start or Place(frame=0), self._span.end
        started = False
        last: Frame | None = None
        self._entered = True
        for frame in _with_durations(self._source) if self._timed else self._source:
            zero = self.zero = frame.pts if self.zero is None else self.zero
            last = frame
            if end is not None and is_reached(frame, end, zero, self._source.info):
                if not started:
                    self._span.check(0, 0)
                return
            started = started or is_reached(frame, start, zero, self._source.info)
            if started:
                yield frame
        count = 0 if last is None else last.index + 1
        if not started:
            raise UsageError(f"`start={start}`: lies beyond the end; the source has {count} frames")
        if end is not None and (end.frame is None or end.frame > count):
            self._notes.append(f"`end={end}`: lies beyond the end; the source has {count} frames")

    def interrupt(self) -> None:
        """See `Source.interrupt`."""
        self._source.interrupt()

    def _release(self) -> None:
        self._source.close()


def _with_durations(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Yield frames with the time to the next one as their duration; the last one's is its own."""
    held: Frame | None = None
    for frame in frames:
        if held is not None:
            yield replace(held, duration=frame.pts - held.pts)
        held = frame
    if held is not None:
        yield held


def _about(place: Place | None, rate: Fraction | None) -> int | None:
    """Return the number of the frame at a place, as far as the frame rate tells."""
    if place is None or place.seconds is None:
        return None if place is None else place.frame
    return None if not rate else round(place.seconds * rate)


def is_reached(frame: Frame, place: Place, zero: int, info: SourceInfo) -> bool:
    """Whether a frame is the one that a place means, or a later one: it is still shown at that time."""
    if place.seconds is None:
        return frame.index >= (place.frame or 0)
    shown = frame.duration or round(1 / ((info.frame_rate or Fraction(25)) * frame.time_base))
    return frame.pts + shown - zero >= ticks_before(place.seconds, frame.time_base)
