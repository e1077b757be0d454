"""Sound is copied packet by packet, never decoded: bit for bit what the source holds, in step with the frames."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream


def can_hold(container_format: str, stream: AudioStream) -> bool:
    """Whether a container takes the stream as it is, found by writing a header for it alone.

    FFmpeg's own table of codecs per container promises more than the muxers keep (Opus in QuickTime), hence the trial.

    Args:
        container_format: FFmpeg's name of the muxer, "mp4", "mov", "matroska" or "webm".
        stream: the stream to be copied.
    """
    try:
        with av.open(io.BytesIO(), "w", format=container_format) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (ValueError, av.FFmpegError):
        return False
    return True


class AudioCopy:
    """Copies the audio streams of one file into an output, interleaved as the video's frames arrive.

    Driven by one thread. Times are seconds on the source's own clock.

    Attributes:
        sample_rates: samples per second of each stream that is copied; empty when there is nothing to copy.
        shift: seconds to subtract from every packet, the same as the frames'.
    """

    def __init__(self, source: str, output: OutputContainer, path: Path, warn: Callable[[str], None]) -> None:
        """Opens the source and adds the streams the container can hold to `output`, before its header is written.

        Args:
            source: the file whose sound is copied.
            output: the opened output.
            path: the output's name for messages.
            warn: told in one line of every stream that is left out, and why.
        """
        self.shift = Fraction(0)
        self._output = output
        self._path = path
        self._warn = warn
        self._pending: Packet[Any] | None = None
        self._latest_video = Fraction(-1)
        self._targets: dict[int, Stream] = {}
        self._source: InputContainer | None = self._open(source)
        self._packets: Iterator[Packet[Any]] = self._demux()

    def _open(self, source: str) -> InputContainer | None:
        try:
            container = av.open(f"file:{source}")
        except (OSError, av.FFmpegError) as error:
            self._warn(f"{self._path}: written without sound: {source} cannot be read: {error.strerror}")
            return None
        for stream in container.streams.audio:
            if can_hold(self._output.format.name, stream):
                self._targets[stream.index] = self._output.add_stream_from_template(stream)
            else:
                self._warn(
                    f"{self._path}: written without the {stream.codec_context.name} sound, which "
                    f"{self._path.suffix} cannot hold; .mkv can"
                )
        if self._targets:
            return container
        container.close()
        return None

    @property
    def sample_rates(self) -> list[int]:
        if self._source is None:
            return []
        return [stream.sample_rate for stream in self._source.streams.audio if stream.index in self._targets]

    def _demux(self) -> Iterator[Packet[Any]]:
        """The packets to copy. Those of the video only tell whether the source goes on, see `finish`."""
        if self._source is None:
            return
        pictures = [s for s in self._source.streams.video if not s.disposition & Disposition.attached_pic]
        streams: list[Stream] = [*(s for s in self._source.streams.audio if s.index in self._targets), *pictures[:1]]
        try:
            for packet in self._source.demux(*streams):
                if packet.dts is None and packet.pts is None:
                    continue
                if packet.stream_index not in self._targets:
                    self._latest_video = max(self._latest_video, _time(packet))
                else:
                    yield packet
        except (OSError, av.FFmpegError) as error:
            self._warn(f"{self._path}: the sound ends early, the source cannot be read on: {error.strerror}")

    def copy_until(self, time: Fraction) -> None:
        """Writes every packet that begins before `time`."""
        while (packet := self._take()) is not None:
            if _time(packet) >= time:
                self._pending = packet
                return
            self._write(packet)

    def finish(self, last_frame: Fraction, end: Fraction) -> None:
        """Writes what is left and closes the source.

        Sound that outlasts the pictures in the source is kept. It is trimmed where the last frame ends when the
        source's pictures go on, that is when the video was cut short.

        Args:
            last_frame: when the middle of the last frame written is shown.
            end: when the last frame written stops being shown.
        """
        self.copy_until(end)
        tail = []
        while self._latest_video <= last_frame and (packet := self._take()) is not None:
            tail.append(packet)
        if self._latest_video <= last_frame:
            for packet in tail:
                self._write(packet)
        self.close()

    def close(self) -> None:
        """Closes the source."""
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
        packet.stream = self._targets[packet.stream_index]
        self._output.mux_one(packet)


def _base(packet: Packet[Any]) -> Fraction:
    base = packet.time_base
    return base if base else Fraction(1, 1_000_000)


def _time(packet: Packet[Any]) -> Fraction:
    ticks = packet.pts if packet.pts is not None else packet.dts
    return (ticks or 0) * _base(packet)
