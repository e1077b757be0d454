"""The frames of a source in which something is said."""

from __future__ import annotations

from vosctl.time_line import Place
from vosctl.video.frames import Frame
from vosctl.video.sources import RangedSource, Source
from vosctl.video.sources.times import ticks_before


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
