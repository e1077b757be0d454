"""Whether a file holds as much as its header claims."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Stream

_TOLERANCE = Fraction(1, 5)
"""Seconds. Headers are inexact by a frame or two of sound."""
_INDEXED = frozenset({"mp4", "avi"})
"""Formats in which each stream states its own length; of the others FFmpeg lends it the container's."""
_STATED = frozenset({"mp4", "avi", "matroska", "flv", "asf", "nut", "wav"})
"""Formats with a length in their header. For others FFmpeg makes a guess from what is there."""
_TS_PACKETS = {188: 0, 192: 4, 204: 0}
"""Bytes of a packet of a transport stream, and at which its mark is: plain, of Blu-ray, with error correction."""
_TS_SYNC = b"\x47"
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def claimed_end(container: InputContainer, stream: Stream) -> Fraction | None:
    """Return where a stream ends by its header, in seconds on the container's clock; None when it does not say."""
    names = set(container.format.name.split(","))
    if not names & _STATED:
        return None
    whole = Fraction(container.duration + (container.start_time or 0), av.time_base) if container.duration else None
    if names & _INDEXED:
        if not stream.duration or not stream.time_base:
            return None
        own = (stream.duration + (stream.start_time or 0)) * stream.time_base
        if "avi" in names:  # what FFmpeg calls the duration there is a guess from the size of the file
            own = stream.frames * stream.time_base
            return own or None
        return own if whole is None else min(own, whole)  # an edit list shows less than the stream holds
    tag = next((_CLOCK.match(value) for key, value in stream.metadata.items() if key.startswith("DURATION")), None)
    if tag is not None:
        return Fraction(tag[1]) * 3600 + Fraction(tag[2]) * 60 + Fraction(tag[3])
    # The container lasts as long as its longest stream.
    return whole if all(other.type in ("video", "audio") for other in container.streams) else None


def ends_within_packet(container: InputContainer, path: Path) -> bool:
    """Return whether a transport stream stops in the middle of a packet, which only one that is cut off does.

    It has no header that could say how long it is; where it is cut between two packets, nothing tells.

    Args:
        container: the file.
        path: of the file.
    """
    if container.format.name != "mpegts":
        return False
    try:
        with path.open("rb") as file:
            begin = file.read(4 * max(_TS_PACKETS))
            size = file.seek(0, os.SEEK_END)
    except OSError:
        return False
    for length, offset in _TS_PACKETS.items():
        if all(begin[offset + step * length : offset + step * length + 1] == _TS_SYNC for step in range(3)):
            return size % length != 0
    return False


def missing(
    container: InputContainer, ends: Mapping[int, Fraction], step: Fraction
) -> tuple[Fraction, Fraction] | None:
    """Return what a file lacks of what its header claims.

    Args:
        container: the file, read to its end.
        ends: where each stream that was read ended, by its index.
        step: how long a frame is shown, in seconds.

    Returns:
        Where the stream that lacks most ended and where it should have, in seconds; None when nothing is missing.
    """
    shortest: tuple[Fraction, Fraction] | None = None
    for stream in container.streams:
        claim = claimed_end(container, stream)
        # Where all streams share one claim, only one of them needs to keep it.
        own = "mp4" in container.format.name or "avi" in container.format.name or "DURATION" in stream.metadata
        end = ends.get(stream.index) if own else max(ends.values(), default=None)
        # An AVI counts its frames, and knows no gaps: one that is missing in the middle makes it shorter.
        counted = "avi" in container.format.name and stream.type == "video"
        tolerance = Fraction(3, 2) * step if counted else max(_TOLERANCE, 3 * step)
        if claim is None or end is None or claim - end <= tolerance:
            continue
        if shortest is None or claim - end > shortest[1] - shortest[0]:
            shortest = end, claim
    return shortest
