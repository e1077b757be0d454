"""What goes along with the pictures of a file: sound, subtitles, chapters, tags. Copied, never decoded.

Sound is bit for bit what the source holds, in step with the frames.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream

from vosctl.errors import VosctlError
from vosctl.video.copied_tracks import add_copy, can_hold
from vosctl.video.sources.containers import (
    ContinuousPackets,
    best_video,
    known_sound,
    may_step,
    open_container,
    tags_of,
)

_TAGS = frozenset(
    {
        "album", "artist", "author", "comment", "composer", "copyright", "creation_time", "date", "description",
        "episode_id", "genre", "network", "show", "synopsis", "title", "track", "year",
    }
)  # fmt: skip
"""Tags of a file that are copied; others tell how it was made, which does not hold for the copy."""

_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EPIPE})
"""Errors of the file system, which are no part's fault."""

_LONG = Fraction(60)
"""Seconds before a cut for which a source is read all the same: subtitles are shown for long."""

Warn = Callable[[str], None]


def is_of_the_disk(error: OSError | av.FFmpegError) -> bool:
    """Return whether an error is the file system's, so that another container would not help."""
    return error.errno in _DISK


class StreamCopy:
    """Copies the sound and subtitles of one file into an output, interleaved as the video's frames arrive.

    Driven by one thread. Times are seconds on the source's own clock, made continuous where it steps.

    Attributes:
        sample_rates: samples per second of each sound track that is copied; empty when there is nothing to copy.
        shift: seconds to subtract from every packet, the same as the frames'.
    """

    def __init__(self, source: str, output: OutputContainer, path: Path, warn: Warn, *, sound: bool) -> None:
        """Open the source and add the streams the container can hold to `output`, before its header is written.

        Args:
            source: the file that is copied from.
            output: the opened output.
            path: the output's name for messages.
            warn: receives a line for every stream that is left out, and why.
            sound: whether sound is copied.
        """
        self.shift = Fraction(0)
        self._output = output
        self._path = path
        self._warn = warn
        self._pending: Packet[Any] | None = None
        self._latest_video = Fraction(-1)
        self._targets: dict[int, Stream] = {}
        self._latest: dict[int, int] = {}
        self._cut: Fraction | None = None
        self._left_out = 0
        self._written: set[int] = set()
        self._source = self._open(source)
        self._packets: Iterator[Packet[Any]] = iter(())
        if self._source is None:
            return
        output.metadata.update(
            (key, value) for key, value in tags_of(self._source.metadata).items() if key.lower() in _TAGS
        )
        if sound:
            self._add_sound(self._source)
        subtitles = self._add_subtitles(self._source)
        self._video = best_video(self._source)
        self._tell_what_else_is_lost(self._source)
        self._source_is_avi = self._source.format.name == "avi"
        self._continuous = ContinuousPackets(self._source, list(subtitles))
        self._packets = self._demux()

    def _open(self, source: str) -> InputContainer | None:
        try:
            return open_container(f"file:{source}")
        except (OSError, av.FFmpegError) as error:
            self._warn(f"{self._path}: written without sound: {source} cannot be read: {error.strerror}")
            return None

    def _add_sound(self, source: InputContainer) -> None:
        known = known_sound(source)
        if unknown := len(source.streams.audio) - len(known):
            self._warn(f"{self._path}: written without {unknown} sound track(s) of a codec that is not known here")
        held = [stream for stream in known if can_hold(self._output.format.name, stream)]
        for stream in held:
            self._targets[stream.index] = add_copy(self._output, stream)
        lost = [stream.codec_context.name for stream in known if stream not in held]
        if lost:
            what = (
                f"the {lost[0]} sound" if len(lost) == 1 else f"{len(lost)} sound tracks ({', '.join(sorted({*lost}))})"
            )
            self._warn(f"{self._path}: written without {what}, which {self._path.suffix} cannot hold; .mkv can")

    def _add_subtitles(self, source: InputContainer) -> list[SubtitleStream]:
        known = [stream for stream in source.streams.subtitles if stream.codec_context is not None]
        held = [stream for stream in known if can_hold(self._output.format.name, stream)]
        for stream in held:
            self._targets[stream.index] = add_copy(self._output, stream)
        if lost := len(source.streams.subtitles) - len(held):
            cure = "; .mkv can" if self._path.suffix != ".mkv" else ""
            self._warn(
                f"{self._path}: written without {lost} subtitle track(s), which {self._path.suffix} cannot hold as "
                f"they are{cure}"
            )
        return held

    def _tell_what_else_is_lost(self, source: InputContainer) -> None:
        chapters = bool(source.chapters())  # which MP4 keeps in a track of their own, and which are copied
        data = [stream for stream in source.streams.data if not (chapters and stream.name == "bin_data")]
        films = [stream for stream in source.streams.video if stream != self._video]
        covers = [stream for stream in films if stream.disposition & Disposition.attached_pic]
        parts = (
            (len(films) - len(covers), "further track(s) of pictures"),
            (len(covers), "cover picture(s)"),
            (len(data), "track(s) of data (time code, a camera's notes)"),
            (len(source.streams.attachments), "attached file(s) (fonts)"),
        )
        if lost := " and ".join(f"{count} {kind}" for count, kind in parts if count):
            self._warn(f"{self._path}: written without {lost} of the source's")

    @property
    def sample_rates(self) -> list[int]:
        """Return the sample rates of the sound tracks that are copied, Hz."""
        if self._source is None:
            return []
        return [stream.sample_rate for stream in self._source.streams.audio if stream.index in self._targets]

    def _demux(self) -> Iterator[Packet[Any]]:
        """Yield the packets to copy. Those of the video only tell whether the source goes on, see `finish`."""
        try:
            for packet in self._continuous:
                if packet.dts is None and packet.pts is None:
                    continue
                if self._video is not None and packet.stream_index == self._video.index:
                    # In AVI a packet says when it is decoded only; FFmpeg adds a delay to that, which no frame has.
                    decoded = packet.dts if self._source_is_avi else None
                    shown = _time(packet) if decoded is None else decoded * _base(packet)
                    self._latest_video = max(self._latest_video, shown)
                elif packet.stream_index in self._targets and not self._is_cut(packet):
                    yield packet
        except (OSError, av.FFmpegError) as error:
            self._warn(f"{self._path}: the sound ends early, the source cannot be read on: {error.strerror}")

    def cut_before(self, time: Fraction) -> None:
        """Leave out what comes before `time`: sound that begins earlier; of subtitles and chapters what has ended.

        Where the source's clock does not step, what lies long before is not even read.
        """
        self._cut = time
        if self._source is None or may_step(self._source) or time < _LONG:
            return
        with suppress(av.FFmpegError):
            self._source.seek(round((time - _LONG) * av.time_base), backward=True)

    def _is_cut(self, packet: Packet[Any]) -> bool:
        """Whether a packet comes before the cut; one of subtitles that is still shown then is shortened."""
        if self._cut is None or _time(packet) >= self._cut:
            return False
        if packet.pts is None or not isinstance(self._targets[packet.stream_index], SubtitleStream):
            return True
        late = math.ceil(self._cut / _base(packet)) - packet.pts
        if (packet.duration or 0) <= late:
            return True
        packet.pts, packet.duration = packet.pts + late, (packet.duration or 0) - late
        packet.dts = packet.pts
        return False

    def copy_until(self, time: Fraction) -> None:
        """Write every packet that begins before `time`.

        Raises:
            VosctlError: the container does not take a packet.
        """
        while self._targets and (packet := self._take()) is not None:
            if _time(packet) >= time:
                self._pending = packet
                return
            self._write(packet)

    def finish(self, late: Fraction, end: Fraction) -> None:
        """Write what is left and the chapters, and close the source.

        Sound that outlasts the pictures in the source is kept. It is trimmed where the last frame ends when the
        source's pictures go on, that is when the video was cut short.

        Args:
            late: shortly before `end`; frames of the source that begin after it were not wanted.
            end: when the last frame written stops being shown.

        Raises:
            VosctlError: the container does not take a packet.
        """
        self.copy_until(end)
        tail = []
        while self._targets and self._latest_video <= late and (packet := self._take()) is not None:
            tail.append(packet)
        if self._latest_video <= late:
            for packet in tail:
                self._write(packet)
        self._report()
        if self._source is not None and not self._continuous.continuity.steps:
            # They are set now, when it is known how long the output is: a later chapter would lengthen it.
            self._output.set_chapters(_chapters(self._source, self.shift, self._cut, end))
        self.close()

    def _report(self) -> None:
        corrected = self._left_out
        if self._source is not None:
            sound = {stream.index for stream in self._source.streams.audio} & self._targets.keys()
            corrected += sum(
                count for stream, count in self._continuous.continuity.corrected.items() if stream in sound
            )
        if corrected:
            self._warn(
                f"{self._path}: {corrected} damaged or wrongly timed packet(s) of sound were corrected or left out"
            )

    def close(self) -> None:
        """Close the source."""
        if self._source is not None:
            self._packets = iter(())
            self._source.close()
            self._source = None

    def _take(self) -> Packet[Any] | None:
        packet, self._pending = self._pending, None
        return packet if packet is not None else next(self._packets, None)

    def _write(self, packet: Packet[Any]) -> None:
        ticks = round(self.shift / _base(packet))
        if packet.pts is not None:
            packet.pts -= ticks
        if packet.dts is not None:
            packet.dts -= ticks
        index, decoded = packet.stream_index, packet.dts if packet.dts is not None else packet.pts
        target = self._targets[index]
        after = 0 if isinstance(target, SubtitleStream) else 1  # several lines may be shown together
        if decoded is not None and decoded < self._latest.get(index, decoded - 1) + after:
            self._left_out += 1  # no container takes it
            return
        if decoded is not None:
            self._latest[index] = decoded
        packet.stream = target
        try:
            self._output.mux_one(packet)
            self._written.add(index)
        except (OSError, av.FFmpegError) as error:
            if is_of_the_disk(error):
                raise
            damaged = isinstance(error, av.InvalidDataError | av.PatchWelcomeError)
            if damaged or index in self._written:  # it is the packet that the container does not take, not the track
                self._left_out += 1
                return
            kind = "sound" if target.type == "audio" else "subtitles"
            cure = "write .mkv" if self._path.suffix != ".mkv" else "write .mov"
            raise VosctlError(
                f"{self._path}: the {kind} ({target.codec_context.name}) cannot be written: {error.strerror}; {cure}"
                + (" or use `audio=False`" if kind == "sound" else "")
            ) from error


def _chapters(source: InputContainer, shift: Fraction, cut: Fraction | None, end: Fraction) -> list[Any]:
    """Return what of the chapters lies between `cut` and `end`, on the output's clock."""
    chapters = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        begin, stop = chapter["start"] * base, min(chapter["end"] * base, end)
        begin = begin if cut is None else max(begin, cut)
        if begin < stop:
            moved = {"start": round((begin - shift) / base), "end": round((stop - shift) / base)}
            chapters.append({**chapter, **moved, "time_base": base, "metadata": tags_of(chapter["metadata"])})
    return chapters


def _base(packet: Packet[Any]) -> Fraction:
    base = packet.time_base
    return base if base else Fraction(1, 1_000_000)


def _time(packet: Packet[Any]) -> Fraction:
    ticks = packet.pts if packet.pts is not None else packet.dts
    return (ticks or 0) * _base(packet)
