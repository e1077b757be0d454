"""Video decoded with PyAV: files, network addresses and standard input."""

from __future__ import annotations

import errno
import sys
import time
from array import array
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.codec.hwaccel import HWAccel
from av.container import InputContainer

from vosctl.errors import UsageError, VosctlError
from vosctl.interrupts import interruptible
from vosctl.video.frames import Frame
from vosctl.video.sources.base import NETWORK_TIMEOUT, Source
from vosctl.video.sources.completeness import ends_within_packet, missing
from vosctl.video.sources.containers import ContinuousPackets, open_container
from vosctl.video.sources.decoding import Decoder
from vosctl.video.sources.description import Origin, check_hardware, describe, pixel_aspect_of, reason_of, video_stream
from vosctl.video.sources.frame_index import FrameIndex, frames_from, index_by_packets, index_of_times, number_of
from vosctl.video.sources.hdr import hdr_kind
from vosctl.video.sources.picture import PictureReader
from vosctl.video.sources.pictures import DARK_WORDS
from vosctl.video.sources.tallies import tallies
from vosctl.video.sources.times import FrameTimes
from vosctl.video.sources.timestamps import PresentationClock
from vosctl.video.standard_input import process_input

_STDIN_BUFFER = 1 << 20  # bytes; a raw 1080p frame is 3 MB


_ADVICE_FOR_MP4 = "an mp4 with its index at the end cannot be read from a server without ranges: download it first"


class _Pipe:
    """Standard input as PyAV wants it: no seeking, and what has arrived is handed over at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self.read = getattr(stream, "read1", stream.read)


class VideoSource(Source):
    """The frames of one video stream, as many as can be decoded.

    Use the `from_...` constructors. The picture keeps its stored pixels; `info.pixel_aspect` says where they are not
    square.
    """

    def __init__(self, container: InputContainer, origin: Origin, stop: Callable[[], None]) -> None:
        super().__init__()
        self._container = container
        self._stop = stop
        self._origin = origin
        self.files = () if origin.file is None else (origin.file,)
        self._stream = video_stream(container, origin)
        self._packets = ContinuousPackets(container)
        self._decoder = Decoder(self._stream, live=origin.live, in_order=container.format.name == "avi")
        self._reader = PictureReader()
        self._count = 0
        self._lacking: tuple[Fraction, Fraction] | None = None
        self._broken = False
        self._pictures = self._decode()
        first = next(self._pictures, None)
        if first is None:
            advice = _ADVICE_FOR_MP4 if origin.network and "mp4" in container.format.name else origin.advice
            raise VosctlError(f"{origin.label}: not one frame of it can be decoded; {advice}")
        check_hardware(self._stream, origin)
        self.info = replace(
            describe(container, self._stream, first, self._reader.upright_size(first), origin),
            pixel_aspect=pixel_aspect_of(self._stream, self._reader.is_on_its_side(first)),
        )
        self._clock = PresentationClock(self.info.time_base, self.info.frame_rate)
        begin = self._clock.stamp(first.pts, first.duration or 0)
        self._first: Frame | None = self._frame(0, first, begin)
        self._index: FrameIndex | None = None
        if (kind := hdr_kind(first)) is not None:
            self._notes.append(f"{origin.label}: is HDR ({kind}); shown and written in standard dynamic range")
        if first.interlaced_frame:
            self._notes.append(
                f"{origin.label}: is interlaced; each picture is taken with both its fields, deinterlace it first for "
                "clean edges"
            )
        if container.streams.audio and origin.file is None and not origin.live:
            self._notes.append(f"{origin.label}: its sound cannot be copied; only a file's can")

    @classmethod
    def from_file(cls, path: Path, hardware: HWAccel | None = None) -> VideoSource:
        """Open a video file.

        Args:
            path: the file.
            hardware: what decodes it; None for the CPU.

        Raises:
            UsageError: it is no video.
            VosctlError: it cannot be read.
        """
        # A pipe (also one that the shell made) can be opened once, and the sound would be read by opening it again.
        file = path if path.is_file() else None
        # The prefix keeps a colon in a file name from being read as a protocol.
        return cls._open(f"file:{path}", Origin(path.stem, str(path), file, hardware=hardware))

    @classmethod
    def from_address(
        cls, address: str, timeout: float = NETWORK_TIMEOUT, hardware: HWAccel | None = None
    ) -> VideoSource:
        """Open an rtsp:// or http(s):// address.

        Args:
            address: the address.
            timeout: seconds to wait for an answer, and for data later on.
            hardware: see `from_file`.

        Raises:
            UsageError: it is not written as an address is.
            VosctlError: it does not answer in time.
        """
        origin = Origin.of_address(address, hardware)
        options = {"rtsp_transport": "tcp"} if origin.live else {}
        return cls._open(address, origin, timeout=timeout, options=options)

    @classmethod
    def from_stdin(cls, stdin: BinaryIO | None = None, hardware: HWAccel | None = None) -> VideoSource:
        """Read y4m, Matroska, or anything that can be recognised and decoded as it arrives.

        Args:
            stdin: what is read; the process's standard input by default, whose reading can be interrupted.
            hardware: see `from_file`.

        Raises:
            UsageError: standard input is closed or a terminal, or holds no video.
            VosctlError: it cannot be read.
        """
        reader = None if stdin is not None else process_input()
        stream = stdin if stdin is not None else sys.stdin.buffer
        if stream.isatty():
            raise UsageError("-: standard input is a terminal; pipe a video into it or name a file")
        advice = "pipe y4m, Matroska or MPEG-TS into it (most mp4 files cannot be read from a pipe)"
        origin = Origin(name="stdin", label="standard input", advice=advice, hardware=hardware)
        if reader is not None:
            return cls._open(reader, origin, reader.stop, buffer_size=_STDIN_BUFFER)
        return cls._open(_Pipe(stream), origin, buffer_size=_STDIN_BUFFER)

    @classmethod
    def _open(
        cls, target: Any, origin: Origin, stop: Callable[[], None] = lambda: None, **settings: Any
    ) -> VideoSource:
        """Open `target`; what can keep us waiting (a server, a pipe) so that an interrupt is heard meanwhile."""
        if origin.file is not None and origin.file.is_file():
            return cls._open_at_once(target, origin, stop, settings)
        return interruptible(lambda: cls._open_at_once(target, origin, stop, settings), cls.close, stop)

    @classmethod
    def _open_at_once(
        cls, target: Any, origin: Origin, stop: Callable[[], None], settings: dict[str, Any]
    ) -> VideoSource:
        begun = time.monotonic()
        container: InputContainer | None = None
        if origin.hardware is not None:
            settings = {**settings, "hwaccel": origin.hardware}
        try:
            container = open_container(target, **settings)
            # What comes over http and has no length is live: a camera's MJPEG, for one.
            endless = "timeout" in settings and container.duration is None
            return cls(container, replace(origin, live=True) if endless else origin, stop)
        except (av.FFmpegError, OSError) as error:
            if container is not None:
                container.close()
            waited = time.monotonic() - begun
            if origin.file is None and "timeout" in settings and waited >= settings["timeout"]:
                raise VosctlError(f"{origin.label}: no answer within {waited:.0f} s; {origin.advice}") from error
            # FFmpeg also says of a size that cannot be that the device is busy.
            absurd = origin.file is not None and error.errno == errno.EBUSY
            if absurd or isinstance(error, av.InvalidDataError):
                raise VosctlError(f"{origin.label}: cannot be read as a video; {origin.advice}") from error
            if origin.hardware is not None:
                raise VosctlError(
                    f"{origin.label}: the GPU does not decode it ({reason_of(error)}); use `decoder='cpu'`"
                ) from error
            raise VosctlError(f"{origin.label}: cannot be read: {reason_of(error)}; {origin.advice}") from error
        except RuntimeError as error:  # PyAV, of a codec that the GPU does not decode
            if container is not None:
                container.close()
            if origin.hardware is None:
                raise
            raise VosctlError(f"{origin.label}: the GPU does not decode it; use `decoder='cpu'`") from error
        except VosctlError:
            if container is not None:
                container.close()
            raise

    def interrupt(self) -> None:
        """See `Source.interrupt`: what comes through a pipe can be ended."""
        self._stop()

    def _release(self) -> None:
        self._pictures.close()
        self._decoder.close()
        self._container.close()

    @property
    def is_seekable(self) -> bool:
        """See `Source.is_seekable`: a file is."""
        return self._origin.file is not None

    def _look_through(self) -> FrameTimes:
        return self._find_index().times

    def _find_index(self) -> FrameIndex:
        if self._index is None:
            path = self._origin.file
            assert path is not None
            try:
                self._index = index_by_packets(path, self.info.time_base)
            except av.FFmpegError as error:
                raise VosctlError(f"{self._origin.label}: cannot be read again: {reason_of(error)}") from error
            if self._index is None:
                with VideoSource.from_file(path) as again:
                    shown, last = array("q"), 0
                    for frame in again:
                        shown.append(frame.pts)
                        last = frame.duration
                self._index = index_of_times(FrameTimes.of(np.array(shown), self.info.time_base, last))
        return self._index

    def _sought(self, begin: int) -> Generator[Frame, None, None]:
        """Yield the frames from number `begin` on, read from the file anew."""
        index, path = self._find_index(), self._origin.file
        assert path is not None
        if len(index.keys) == 0:
            with VideoSource.from_file(path, self._origin.hardware) as again:
                yield from islice(again, begin, None)
            return
        self._lacking = index.lacking
        self._reader.keep_rotation()
        try:
            for number, picture in frames_from(path, index, begin, self._origin.hardware):
                self._count = number + 1
                self._decoder.damaged += picture.is_corrupt
                yield self._frame(number, picture, int(index.times.pts[number]))
        except av.FFmpegError as error:
            raise VosctlError(f"{self._origin.label}: cannot be read again: {reason_of(error)}") from error

    def _frames(self, begin: int) -> Generator[Frame, None, None]:
        first, self._first = self._first, None
        if first is None or begin > 0:
            yield from self._sought(begin)
            return
        self._count = 1
        yield first
        del first
        for index, pts, picture in self._numbered():
            self._count += 1
            yield self._frame(index, picture, pts)
        self._lacking = self._find_lacking()
        if self._origin.file is not None and ends_within_packet(self._container, self._origin.file):
            self._notes.append(f"{self._origin.label}: ends in the middle of a packet; it is cut off")
        if self._origin.network and not self._origin.live and (self._broken or self._lacking):
            raise VosctlError(
                f"{self._origin.label}: the connection broke off after {self._count} frames; try again, or download "
                "the file first"
            )

    def _numbered(self) -> Iterator[tuple[int, int, av.VideoFrame]]:
        """Yield the pictures after the first, with their numbers and times; one that is lost keeps its number."""
        due, looked, times = 1, False, None
        for picture in self._pictures:
            if self._decoder.has_gaps and not looked:
                looked, times = True, self._times_by_packets()
            if times is None:
                number, pts = due, self._clock.stamp(picture.pts, picture.duration or 0)
            elif (found := number_of(picture.pts, times, due)) is not None:
                number, pts = found, int(times.pts[found])
            else:
                continue
            due = number + 1
            yield number, pts, picture

    def _times_by_packets(self) -> FrameTimes | None:
        """Return the times that `seek` goes by, where the packets tell them; None where it decodes the file."""
        if self._index is None and self._origin.file is not None:
            with suppress(av.FFmpegError):
                self._index = index_by_packets(self._origin.file, self.info.time_base)
        return self._index.times if self._index is not None and len(self._index.keys) else None

    def _frame(self, index: int, picture: av.VideoFrame, pts: int) -> Frame:
        size = (self.info.height, self.info.width)
        upright = self._reader.upright_size(picture)
        if upright != size:
            height, width = upright
            self._warn_once(
                f"{self._origin.label}: the picture changes to {width}x{height} at frame {index}; "
                f"scaled to the first frame's {self.info.width}x{self.info.height}"
            )
        return Frame(
            index=index,
            picture=self._reader.read(picture, size),
            pts=pts,
            time_base=self.info.time_base,
            duration=picture.duration or 0,
        )

    def _decode(self) -> Generator[av.VideoFrame, None, None]:
        """Decode what can be decoded: a damaged packet is passed over, an unreadable container ends the video."""
        packets = iter(self._packets)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:  # of a pipe it is the system's own
                self._notes.append(f"{self._origin.label}: reading stopped before its end: {reason_of(error)}")
                self._broken = True
                break
            if packet is None:
                break
            if packet.stream_index == self._stream.index:
                yield from self._decoder.decode(packet)
        yield from self._decoder.flush()
        self._reader.keep_rotation()
        yield from self._decoder.recover()

    def _tallies(self) -> list[str]:
        """See `Source._tallies`."""
        dark = [f"{self._origin.label}: {DARK_WORDS}"] if self._reader.is_dark else []
        return dark + tallies(
            self._origin.label,
            self._count,
            self._packets,
            self._decoder,
            lacking=self._lacking,
            corrected=self._clock.corrected + self._packets.continuity.corrected.get(self._stream.index, 0),
            known_troubles=self._index.troubles if self._index is not None else (),
        )

    def _find_lacking(self) -> tuple[Fraction, Fraction] | None:
        """Return what the file lacks of what its header claims, see `missing`; once it is read to its end."""
        if self._packets.continuity.steps or self._origin.live:
            return None
        step = 1 / self.info.frame_rate if self.info.frame_rate else Fraction(1, 25)
        return missing(self._container, self._packets.ends, step)

    def _warn_once(self, line: str) -> None:
        if line.partition(" at frame ")[0] not in {known.partition(" at frame ")[0] for known in self._notes}:
            self._notes.append(line)
