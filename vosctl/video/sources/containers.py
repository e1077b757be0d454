"""Containers as PyAV opens them: which of their streams are read, and their packets on one continuous clock."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO, Protocol

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vosctl.video.sources.continuity import Continuity, Stamped

_JOINED = frozenset({"mpegts", "mpeg", "hls", "rtsp", "rtp"})
"""FFmpeg's names of the formats whose clock may jump ahead, as broadcasts do."""


_SHORTEST_GAP = Fraction(1, 10)
"""Seconds. What is shorter may be no damage but an irregular clock."""
_PACKETS_A_GAP, _MOST_GAPS = 15, 10_000
"""A video with more gaps than one in so many packets has a variable frame rate; how many gaps are remembered."""


class Reader(Protocol):
    """What PyAV reads from when it is not a file of its own."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""


def open_container(target: str | Reader | BinaryIO, **settings: Any) -> InputContainer:
    """Open a container for reading.

    Tags that are no UTF-8 keep their bytes as surrogates; see `tags_of`.

    Raises:
        av.FFmpegError: it cannot be opened.
    """
    container: InputContainer = av.open(target, mode="r", metadata_errors="surrogateescape", **settings)
    return container


def tags_of(tags: dict[str, str]) -> dict[str, str]:
    """Tags as text: what is no UTF-8 is taken as Windows-1252, in which old programs wrote."""
    return {_text(key): _text(value) for key, value in tags.items()}


def _text(value: str) -> str:
    data = value.encode(errors="surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def best_video(container: InputContainer) -> VideoStream | None:
    """Return the stream whose pictures are read; None when there is none. A song's cover picture does not count."""
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        return None
    return stream


def known_sound(container: InputContainer) -> list[AudioStream]:
    """Return the sound tracks of codecs that FFmpeg knows."""
    return [stream for stream in container.streams.audio if stream.codec_context is not None]


def may_step(container: InputContainer) -> bool:
    """Whether the container is of a format whose clock may step in the middle of a file."""
    return bool(_JOINED & set(container.format.name.split(",")))


class ContinuousPackets:
    """The packets of a container, their times on one continuous clock (see `Continuity`).

    Iterate over it once. Whoever reads the same file gets the same times, whatever else it asks for.

    Args:
        container: opened, nothing read yet.
        others: streams to be read besides the pictures and the sound.

    Attributes:
        continuity: what had to be corrected so far.
        ends: where each stream ends so far, in seconds on the container's own clock, by its index.
    """

    def __init__(self, container: InputContainer, others: list[Stream] | None = None) -> None:
        self._container = container
        video, sound = best_video(container), known_sound(container)
        self._streams: list[Stream] = [*([video] if video is not None else []), *sound, *(others or [])]
        heard = frozenset(stream.index for stream in sound)
        followed = heard | ({video.index} if video is not None else set())
        self.continuity: Continuity[Packet[Any]] = Continuity(heard, followed, may_step(container))
        self.ends: dict[int, Fraction] = {}
        self._video = video.index if video is not None else None
        self._heard = heard
        self._corrupt = 0
        self._gaps: dict[int, list[tuple[Fraction, Fraction]]] = {}
        self._counts: dict[int, int] = {}
        self._due: dict[int, Fraction] = {}

    def __iter__(self) -> Iterator[Packet[Any]]:
        """Yield the packets; the empty ones that flush a decoder are left out.

        Raises:
            av.FFmpegError: the container cannot be read on. What was read before has been yielded.
            OSError: likewise, of what comes through a pipe.
        """
        packets = iter(self._container.demux(*self._streams))
        trouble: av.FFmpegError | OSError | None = None
        while trouble is None:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                trouble = error
                break
            except IndexError:  # PyAV, at the end of a broadcast to which a stream was added on the way
                break
            if packet is None:
                break
            if packet.size:
                yield from map(_shifted, self.continuity.push(self._stamped(packet)))
        yield from map(_shifted, self.continuity.finish())
        if trouble is not None:
            raise trouble

    def _stamped(self, packet: Packet[Any]) -> Stamped[Packet[Any]]:
        base = packet.time_base or Fraction(1, 1_000_000)
        duration = (packet.duration or 0) * base
        shown = packet.pts if packet.pts is not None else packet.dts
        if shown is not None:
            end = shown * base + duration
            self.ends[packet.stream_index] = max(end, self.ends.get(packet.stream_index, end))
        decoded = packet.dts * base if packet.dts is not None else None
        self._corrupt += packet.is_corrupt
        if decoded is not None and duration:
            self._look_for_gap(packet.stream_index, decoded, duration)
        return Stamped(packet, packet.stream_index, decoded, duration)

    def _look_for_gap(self, stream: int, time: Fraction, duration: Fraction) -> None:
        due = self._due.get(stream, time)
        gaps = self._gaps.setdefault(stream, [])
        if time - due >= max(Fraction(5, 2) * duration, _SHORTEST_GAP) and len(gaps) < _MOST_GAPS:
            gaps.append((due, time))
        self._due[stream] = time + duration
        self._counts[stream] = self._counts.get(stream, 0) + 1

    def troubles(self) -> list[str]:
        """Damage that shows in the packets alone, one line each."""
        lines = []
        if self._corrupt:
            lines.append(f"{self._corrupt} damaged packet(s); frames may be missing or damaged")
        if (hole := self._hole()) is not None:
            begin, end = map(float, hole)
            lines.append(f"nothing is there from {begin:.2f} s to {end:.2f} s; it may be damaged")
        return lines

    def _hole(self) -> tuple[Fraction, Fraction] | None:
        """Return where the picture has a gap of the rare kind, and the sound with it if there is any."""
        if self._video is None:
            return None
        gaps = self._gaps.get(self._video, [])
        if len(gaps) * _PACKETS_A_GAP > self._counts.get(self._video, 0):
            return None  # a variable frame rate
        silences = [gap for stream in self._heard for gap in self._gaps.get(stream, [])]
        for begin, end in gaps:
            if not self._heard or any(begin < other_end and other_begin < end for other_begin, other_end in silences):
                return begin, end
        return None


def _shifted(pair: tuple[Packet[Any], Fraction]) -> Packet[Any]:
    packet, shift = pair
    if shift:
        ticks = round(shift / (packet.time_base or Fraction(1, 1_000_000)))
        if packet.pts is not None:
            packet.pts += ticks
        if packet.dts is not None:
            packet.dts += ticks
    return packet
