"""Video decoded with PyAV: files, network addresses and standard input."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vosctl.errors import UsageError, VosctlError
from vosctl.interrupts import interruptible
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.sources.base import Source
from vosctl.video.sources.hdr import hdr_kind
from vosctl.video.sources.picture import PictureReader
from vosctl.video.sources.timestamps import PresentationClock, nominal_frame_rate
from vosctl.video.standard_input import PatientReader

_NETWORK_TIMEOUT = 10.0  # seconds without an answer, or without data later on
_STDIN_BUFFER = 1 << 20  # bytes; a raw 1080p frame is 3 MB

# A file that lacks more than this of what its header claims is reported as ending early.
_MISSING_SECONDS, _MISSING_SHARE = 0.5, 0.05


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where the video comes from: its short name, its name in messages (no passwords), its file if it is one."""

    name: str
    label: str
    file: Path | None = None
    live: bool = False
    advice: str = "check that it plays in a video player"


class _Pipe:
    """Standard input as PyAV wants it: no seeking, and what has arrived is handed over at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self.read = getattr(stream, "read1", stream.read)


class VideoSource(Source):
    """The frames of one video stream, as many as can be decoded.

    Use the `from_...` constructors. The picture keeps its stored pixels; `info.pixel_aspect` says where they are not
    square.
    """

    def __init__(self, container: InputContainer, origin: _Origin, stop: Callable[[], None]) -> None:
        super().__init__()
        self._container = container
        self._stop = stop
        self._origin = origin
        self._stream = _video_stream(container, origin)
        # Threads over whole frames delay the picture by as many frames as there are threads: not for live video.
        self._stream.thread_type = "SLICE" if origin.live else "AUTO"
        self._reader = PictureReader()
        self._lost_packets = 0
        self._damaged_pictures = 0
        self._pictures = self._decode()
        first = next(self._pictures, None)
        if first is None:
            raise VosctlError(f"{origin.label}: not one frame of it can be decoded; {origin.advice}")
        self.info = replace(
            _describe(container, self._stream, first, self._reader.upright_size(first), origin),
            pixel_aspect=_pixel_aspect(self._stream, self._reader.is_on_its_side(first)),
        )
        self._clock = PresentationClock(self.info.time_base, self.info.frame_rate)
        self._first: Frame | None = self._frame(0, first)
        if (kind := hdr_kind(first)) is not None:
            self._notes.append(f"{origin.label}: is HDR ({kind}); shown and written in standard dynamic range")
        if container.streams.audio and origin.file is None and not origin.live:
            self._notes.append(f"{origin.label}: its sound cannot be copied; only a file's can")

    @classmethod
    def from_file(cls, path: Path) -> VideoSource:
        """Open a video file.

        Raises:
            UsageError: it is no video.
            VosctlError: it cannot be read.
        """
        # The prefix keeps a colon in a file name from being read as a protocol.
        return cls._open(f"file:{path}", _Origin(name=path.stem, label=str(path), file=path))

    @classmethod
    def from_address(cls, address: str) -> VideoSource:
        """Open an rtsp:// or http(s):// address; `VosctlError` when it does not answer within ten seconds."""
        parts = urlsplit(address)
        host = parts.hostname or ""
        label = parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host, query="").geturl()
        live = parts.scheme.lower().startswith("rtsp")
        origin = _Origin(
            name=PurePosixPath(parts.path).stem or host or "stream",
            label=label,
            live=live,
            advice="check the address",
        )
        return cls._open(address, origin, timeout=_NETWORK_TIMEOUT, options={"rtsp_transport": "tcp"} if live else {})

    @classmethod
    def from_stdin(cls, stdin: BinaryIO | None = None) -> VideoSource:
        """Read y4m, Matroska, or anything that can be recognised and decoded as it arrives.

        Args:
            stdin: what is read; the process's standard input by default, whose reading can be interrupted.

        Raises:
            UsageError: standard input is closed or a terminal, or holds no video.
            VosctlError: it cannot be read.
        """
        reader = None if stdin is not None else _standard_input()
        stream = stdin if stdin is not None else sys.stdin.buffer
        if stream.isatty():
            raise UsageError("-: standard input is a terminal; pipe a video into it or name a file")
        advice = "pipe y4m, Matroska or MPEG-TS into it (most mp4 files cannot be read from a pipe)"
        origin = _Origin(name="stdin", label="standard input", advice=advice)
        if reader is not None:
            return cls._open(reader, origin, reader.stop, buffer_size=_STDIN_BUFFER)
        return cls._open(_Pipe(stream), origin, buffer_size=_STDIN_BUFFER)

    @classmethod
    def _open(
        cls, target: Any, origin: _Origin, stop: Callable[[], None] = lambda: None, **settings: Any
    ) -> VideoSource:
        """Open `target`; what can keep us waiting (a server, a pipe) so that an interrupt is heard meanwhile."""
        if origin.file is not None and origin.file.is_file():
            return cls._open_at_once(target, origin, stop, settings)
        return interruptible(lambda: cls._open_at_once(target, origin, stop, settings), cls.close, stop)

    @classmethod
    def _open_at_once(
        cls, target: Any, origin: _Origin, stop: Callable[[], None], settings: dict[str, Any]
    ) -> VideoSource:
        begun = time.monotonic()
        container: InputContainer | None = None
        try:
            container = av.open(target, mode="r", **settings)
            # What comes over http and has no length is live: a camera's MJPEG, for one.
            endless = "timeout" in settings and container.duration is None
            return cls(container, replace(origin, live=True) if endless else origin, stop)
        except av.FFmpegError as error:
            if container is not None:
                container.close()
            waited = time.monotonic() - begun
            if origin.file is None and "timeout" in settings and waited >= settings["timeout"]:
                raise VosctlError(f"{origin.label}: no answer within {waited:.0f} s; {origin.advice}") from error
            if isinstance(error, av.InvalidDataError):
                raise VosctlError(f"{origin.label}: cannot be read as a video; {origin.advice}") from error
            raise VosctlError(f"{origin.label}: cannot be read: {_reason(error)}; {origin.advice}") from error
        except VosctlError:
            if container is not None:
                container.close()
            raise

    def interrupt(self) -> None:
        """See `Source.interrupt`: what comes through a pipe can be ended."""
        self._stop()

    def _release(self) -> None:
        self._container.close()

    def _frames(self) -> Generator[Frame, None, None]:
        first, self._first = self._first, None
        if first is None:
            return
        yield first
        start = first.pts
        end = first.pts + first.duration
        del first
        for index, picture in enumerate(self._pictures, start=1):
            frame = self._frame(index, picture)
            end = frame.pts + frame.duration
            yield frame
        self._sum_up(float((end - start) * self.info.time_base))

    def _frame(self, index: int, picture: av.VideoFrame) -> Frame:
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
            pts=self._clock.stamp(picture.pts, picture.duration or 0),
            time_base=self.info.time_base,
            duration=picture.duration or 0,
        )

    def _decode(self) -> Iterator[av.VideoFrame]:
        """What can be decoded: a damaged packet is passed over, an unreadable container ends the video."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self._notes.append(f"{self._origin.label}: reading stopped before its end: {_reason(error)}")
                yield from self._stream.decode(None)
                return
            if packet is None:
                return
            try:
                pictures = self._stream.decode(packet)
            except av.FFmpegError:
                self._lost_packets += 1
                continue
            for picture in pictures:
                self._damaged_pictures += picture.is_corrupt
                yield picture

    def _sum_up(self, seconds: float) -> None:
        label = self._origin.label
        if self._lost_packets:
            self._notes.append(f"{label}: {self._lost_packets} damaged packet(s) passed over; frames are missing")
        if self._damaged_pictures:
            self._notes.append(f"{label}: {self._damaged_pictures} damaged frame(s) shown as far as they decode")
        if self._clock.mended:
            self._notes.append(f"{label}: {self._clock.mended} timestamp(s) that did not rise were mended")
        claimed = _claimed_seconds(self._container, self._stream)
        if claimed is not None and claimed - seconds > max(_MISSING_SECONDS, _MISSING_SHARE * claimed):
            self._notes.append(
                f"{label}: ends after {seconds:.1f} s of the {claimed:.1f} s its header claims; the file may be cut off"
            )

    def _warn_once(self, line: str) -> None:
        if line.partition(" at frame ")[0] not in {known.partition(" at frame ")[0] for known in self._notes}:
            self._notes.append(line)


def _standard_input() -> PatientReader | None:
    """The process's standard input; None where it was replaced by something in memory.

    Raises:
        UsageError: it is closed.
    """
    if sys.stdin is None:
        raise UsageError("-: standard input is closed; pipe a video into it or name a file")
    try:
        return PatientReader(sys.stdin.fileno())
    except (io.UnsupportedOperation, OSError):
        return None


def _reason(error: av.FFmpegError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _video_stream(container: InputContainer, origin: _Origin) -> VideoStream:
    stream = container.streams.best("video")
    # The cover picture of a song counts as a video stream.
    if not isinstance(stream, VideoStream) or stream.disposition & av.stream.Disposition.attached_pic:
        raise UsageError(f"{origin.label}: has no video in it; name a video")
    if stream.codec_context is None:
        raise VosctlError(f"{origin.label}: its video codec is not known here; convert it to H.264 first")
    return stream


def _describe(
    container: InputContainer, stream: VideoStream, first: av.VideoFrame, size: tuple[int, int], origin: _Origin
) -> SourceInfo:
    height, width = size
    rate = nominal_frame_rate(stream.guessed_rate, stream.average_rate)
    seconds = _claimed_seconds(container, stream)
    count = stream.frames or (round(seconds * rate) if seconds and rate else 0)
    return SourceInfo(
        name=origin.name,
        width=width,
        height=height,
        frame_rate=rate,
        time_base=first.time_base or stream.time_base or 1 / (rate or Fraction(25)),
        frame_count=None if origin.live else count or None,
        audio_path=str(origin.file) if origin.file is not None and container.streams.audio else None,
        live=origin.live,
    )


def _pixel_aspect(stream: VideoStream, on_its_side: bool) -> Fraction:
    """Width over height of an upright pixel."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    return 1 / aspect if on_its_side else Fraction(aspect)


def _claimed_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """How long the header says the video is; None when it says nothing of it."""
    claims = []
    # The container lasts as long as its longest stream, which may be the sound, and FFmpeg lends that length to streams
    # that state none. A stream that states its number of frames (mp4, avi) states its own length.
    alone = not container.streams.audio
    if stream.duration and stream.time_base and (alone or stream.frames):
        claims.append(float(stream.duration * stream.time_base))
    if container.duration and (alone or claims):
        claims.append(container.duration / av.time_base)
    return min(claims, default=None)
