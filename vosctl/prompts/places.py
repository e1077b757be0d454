"""The frames of a source in which something is said."""

from __future__ import annotations

from fractions import Fraction

from vosctl.time_line import Place
from vosctl.video.frames import Frame
from vosctl.video.sources import RangedSource, Source
from vosctl.video.sources.times import ticks_before

FIRST = Place(seconds=Fraction(0))
"""The first frame that is read, where its number is not known before it comes."""


def frame_at(source: Source, number: int) -> Frame | None:
    """Return a frame of a source that is seekable; None where it is lost in a damaged video."""
    source.seek(number)
    frame = next(iter(source), None)
    return frame if frame is not None and frame.index == number else None


def begins_after(frame: Frame, place: Place, zero: int) -> bool:
    """Whether a frame is shown only after a time."""
    return place.seconds is not None and frame.pts - zero >= ticks_before(place.seconds, frame.time_base)


def first_of(source: Source) -> int | None:
    """Return the number of the first frame that is read; None where it is not known before it comes."""
    if not isinstance(source, RangedSource):
        return 0
    return source.bounds[0] if source.is_seekable else source.first_frame


def resolved(place: Place | None, source: Source, what: str) -> Place:
    """Return a frame's number as far as it can be known before the frames come, else its place.

    Args:
        place: None for the first frame that is read.
        source: not read yet.
        what: names what is said there, for messages.

    Raises:
        UsageError: the place is not in the source, or not read.
    """
    if place is None:
        first = first_of(source)
        return FIRST if first is None else Place(frame=first)
    if source.is_seekable:
        place = Place(frame=source.times().index_of(place, what))
    if isinstance(source, RangedSource) and place.frame is not None:
        source.check_reads(place.frame, what)
    return place
