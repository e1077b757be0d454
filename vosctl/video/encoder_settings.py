"""How a video's stream and its encoder are set up, before the first picture: size, clock, colours, threads."""

from __future__ import annotations

from collections.abc import Callable

from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from vosctl.errors import VosctlError
from vosctl.processor import core_count
from vosctl.video.encodings import VideoEncoding
from vosctl.video.frames import SourceInfo

_MOST_THREADS = 4
"""Encoder threads; more cost memory and delay at the sizes video comes in."""
_MATRIX_RGB, _MATRIX_BT709, _MATRIX_BT601, _LIMITED_RANGE, _FULL_RANGE = 0, 1, 6, 1, 2
"""Numbers of ITU-T H.273 as FFmpeg uses them."""


def set_up(
    stream: VideoStream,
    info: SourceInfo,
    encoding: VideoEncoding,
    matrix: str,
    *,
    muxer: str,
    shown: str,
    warn: Callable[[str], None],
) -> None:
    """Set up a stream that was just added, and its encoder, which is not open yet.

    Args:
        stream: the stream.
        info: the pictures that come.
        encoding: how they are compressed.
        matrix: the colour matrix, "bt601" or "bt709", of what is not RGB.
        muxer: FFmpeg's name of the container.
        shown: the output's name for messages.
        warn: told of pixels that are not square where no file can say so.

    Raises:
        VosctlError: the pictures are larger than the encoder takes.
    """
    stream.width, stream.height = _size(info, encoding, shown)
    stream.pix_fmt = encoding.pixel_format
    stream.time_base = info.time_base
    stream.options = dict(encoding.options)
    if encoding.pixel_format.startswith("yuva") and muxer in ("webm", "matroska"):
        stream.metadata["alpha_mode"] = "1"
    context: VideoCodecContext = stream.codec_context
    if encoding.tag and muxer in ("mp4", "mov"):
        context.codec_tag = encoding.tag
    context.time_base = info.time_base
    context.bit_rate = 0
    context.sample_aspect_ratio = info.pixel_aspect
    if info.pixel_aspect != 1 and encoding.square:
        warn(
            f"{shown}: the source's pixels are not square ({info.pixel_aspect}), which "
            f"{encoding.called} cannot say; it will look stretched, write .mp4, .mkv or .mov instead"
        )
    context.thread_count = min(_MOST_THREADS, core_count())
    context.flags |= Flags.frame_duration
    if encoding.pixel_format == "rgba":
        context.color_range, context.colorspace = _FULL_RANGE, _MATRIX_RGB
    else:
        context.color_range = _LIMITED_RANGE
        context.colorspace = _MATRIX_BT709 if matrix == "bt709" else _MATRIX_BT601
    context.color_primaries, context.color_trc = info.colours


def _size(info: SourceInfo, encoding: VideoEncoding, shown: str) -> tuple[int, int]:
    """Return the width and height of the pictures as they are coded."""
    width, height = info.width, info.height
    if encoding.even_size:
        width, height = width + width % 2, height + height % 2
    if encoding.largest and max(width, height) > encoding.largest:
        raise VosctlError(
            f"{shown}: {encoding.called} holds up to {encoding.largest} pixels a side and the video is "
            f"{width}x{height}; write .webm, whose VP9 holds more, or pictures (`masks`)"
        )
    return width, height
