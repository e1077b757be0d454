"""What is known of a video that PyAV has opened: where it comes from, its stream, its size, rate and length."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.video.stream import VideoStream

from vosctl.errors import UsageError, VosctlError
from vosctl.video.frames import BT709, SourceInfo
from vosctl.video.sources.completeness import claimed_end
from vosctl.video.sources.containers import best_video
from vosctl.video.sources.hdr import hdr_kind
from vosctl.video.sources.timestamps import nominal_frame_rate

_PRIMARIES = frozenset({1, 4, 5, 6, 7, 8, 9, 11, 12})
_TRANSFERS = frozenset({1, 4, 5, 7, 13})
"""What ITU-T H.273 has for video of standard dynamic range, handed on as it is. The transfers of BT.601 and BT.2020
are BT.709's by other numbers, which not every format has."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the video comes from: its short name, its name in messages (no passwords), its file if it is one.

    What comes over a network and is not live is a file at a server: it ends where it says, not where the connection
    does. `hardware` decodes it; None for the CPU.
    """

    name: str
    label: str
    file: Path | None = None
    network: bool = False
    live: bool = False
    advice: str = "check that it plays in a video player"
    hardware: HWAccel | None = None

    @classmethod
    def of_address(cls, address: str, hardware: HWAccel | None = None) -> Origin:
        """Return what an rtsp:// or http(s):// address says; rtsp is live.

        Raises:
            UsageError: it is not written as an address is.
        """
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            host, port, problem = "", None, f" ({error})"
        else:
            problem = ""
        if not host:
            shown = re.sub(r"//[^/@]*@", "//", address)  # without a password
            raise UsageError(f"{shown}: is no address{problem}; give one such as rtsp://camera.local:554/stream")
        return cls(
            name=PurePosixPath(parts.path).stem or host or "stream",
            label=parts._replace(netloc=f"{host}:{port}" if port else host, query="").geturl(),
            network=True,
            live=parts.scheme.lower().startswith("rtsp"),
            advice="check the address",
            hardware=hardware,
        )


def reason_of(error: av.FFmpegError | OSError) -> str:
    """Return what an error of FFmpeg or of the system says, as a part of a sentence."""
    return (error.strerror or type(error).__name__).lower()


def video_stream(container: InputContainer, origin: Origin) -> VideoStream:
    """Return the stream that is the video.

    Raises:
        UsageError: there is none.
        VosctlError: its codec is not known.
    """
    stream = best_video(container)
    if stream is None or container.format.name == "tty":  # FFmpeg draws any text file as a terminal would
        raise UsageError(f"{origin.label}: has no video in it; name a video")
    if stream.codec_context is None:
        raise VosctlError(f"{origin.label}: its video codec is not known here; convert it to H.264 first")
    return stream


def check_hardware(stream: VideoStream, origin: Origin) -> None:
    """Make sure that a stream of which a picture was decoded is decoded where it was asked for.

    Raises:
        VosctlError: FFmpeg took the CPU.
    """
    context = stream.codec_context
    if origin.hardware is not None and not context.is_hwaccel:
        raise VosctlError(f"{origin.label}: the GPU does not decode its {context.name}; use `decoder='cpu'`")


def describe(
    container: InputContainer, stream: VideoStream, first: av.VideoFrame, size: tuple[int, int], origin: Origin
) -> SourceInfo:
    """Return what is known of a video before it is read; `size` is the height and width of an upright picture."""
    height, width = size
    rate = nominal_frame_rate(stream.guessed_rate, stream.average_rate)
    count = stream.frames or _estimated_count(container, stream, rate)
    return SourceInfo(
        name=origin.name,
        width=width,
        height=height,
        frame_rate=rate,
        time_base=first.time_base or stream.time_base or 1 / (rate or Fraction(25)),
        frame_count=None if origin.live else count or None,
        audio_path=str(origin.file) if origin.file is not None and container.streams.audio else None,
        container_path=str(origin.file) if origin.file is not None else None,
        live=origin.live,
        colours=_colours_of(first),
    )


def _colours_of(first: av.VideoFrame) -> tuple[int, int]:
    """Return primaries and transfer of pictures as they are given out: HDR is brought to BT.709."""
    primaries, transfer = first.color_primaries, first.color_trc
    if hdr_kind(first) is not None:
        return BT709
    return primaries if primaries in _PRIMARIES else BT709[0], transfer if transfer in _TRANSFERS else BT709[1]


def _estimated_count(container: InputContainer, stream: VideoStream, rate: Fraction | None) -> int:
    """About how many frames there will be, by the header; 0 when it does not say."""
    end = claimed_end(container, stream)
    if end is None or not rate:
        return 0
    return max(0, round((end - Fraction(container.start_time or 0, av.time_base)) * rate))


def pixel_aspect_of(stream: VideoStream, on_its_side: bool) -> Fraction:
    """Return the width over height of an upright pixel."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    return 1 / aspect if on_its_side else Fraction(aspect)
