"""Encoded video files: frames in, the source's timestamps untouched, its sound copied."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vosctl.errors import VosctlError
from vosctl.video.conversion import frame_of, limited_grey, with_palette
from vosctl.video.copying import StreamCopy, is_of_the_disk
from vosctl.video.encoder_settings import set_up
from vosctl.video.encodings import PipeFormat, VideoEncoding
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.muxing import MUXERS_WITHOUT_SOUND, Y4M, at_even_times, muxer_options
from vosctl.video.planar import Coding, PlanarPicture, Planes, matrix_by_size, planes_of
from vosctl.video.targets import FileTarget, StreamTarget, Target

_FAR_START = Fraction(60)
"""Seconds. Broadcasts and network streams start their clock anywhere; players show nothing until it is reached."""


@dataclass(frozen=True)
class _Timed:
    """A converted picture and when it is shown, in units of the source's time base; duration 0 when unknown."""

    picture: av.VideoFrame
    pts: int
    duration: int


class VideoWriter:
    """Writes one video file beside its final name. Driven by one thread.

    Frames keep their `pts` and `time_base`, so a variable frame rate stays variable; Matroska and WebM round them to
    milliseconds, as their format demands. A clock that does not start in the first minute is moved to zero, and the
    sound with it; so is that of a part of a source.

    Attributes:
        path: the final name.
        coding: what the numbers in the file stand for.
    """

    def __init__(
        self,
        path: Path,
        info: SourceInfo,
        encoding: VideoEncoding,
        *,
        overwrite: bool,
        audio: bool,
        warn: Callable[[str], None],
        pipe_format: PipeFormat | None = None,
    ) -> None:
        """Open the file, the encoder and the sound to be copied, and write the header.

        With a `pipe_format` the path is standard output (`-`), a pipe or a device, and is written through.

        Raises:
            UsageError: y4m is asked for, and the source says no frame rate.
            VosctlError: the file or the encoder cannot be opened.
        """
        if pipe_format == "y4m":
            info = at_even_times(info)
        if encoding.tick:
            info = replace(info, time_base=encoding.tick)
        self.path = path
        self._target: Target = StreamTarget(path, pipe_format) if pipe_format else FileTarget(path, overwrite=overwrite)
        self._shown = self._target.shown
        self._info = info
        self._encoding = encoding
        self._warn = warn
        self._reformatter = VideoReformatter()
        # Players that ignore the tags go by the size; the tags say the same.
        self.coding = Coding(encoding.matrix or matrix_by_size(info.width, info.height), full_range=False)
        self._held: _Timed | None = None
        self._last_duration = round(1 / (info.frame_rate or 30) / info.time_base) or 1
        self._shift: int | None = None
        self._begin = Fraction(0)
        self._whole = False
        self._left_out = 0
        self._copy: StreamCopy | None = None
        try:
            with self._target.errors():
                self._open(audio)
        except BaseException:
            self._close_copy()
            self._target.give_up(whole=False)
            raise

    def _open(self, audio: bool) -> None:
        self._container = av.open(self._target.place, "w", format=self._target.muxer)
        stream = self._container.add_stream(self._encoding.codec, rate=self._info.frame_rate or 30)
        self._stream = cast(VideoStream, stream)
        set_up(
            self._stream,
            self._info,
            self._encoding,
            self.coding.matrix,
            muxer=self._target.muxer,
            shown=self._shown,
            warn=self._warn,
        )
        rates: list[int] = []
        source = self._info.audio_path or self._info.container_path
        if source is not None and self._container.format.name not in MUXERS_WITHOUT_SOUND:
            self._copy = StreamCopy(source, self._container, self.path, self._warn, sound=audio)
            rates = self._copy.sample_rates
        piped = self._target.partial is None
        self._container.options.update(muxer_options(self._target.muxer, self._info.time_base, rates, piped=piped))
        self._container.start_encoding()

    def write(self, pixels: NDArray[np.uint8], pixel_format: str, frame: Frame) -> None:
        """Encode one picture at the time of `frame`.

        Args:
            pixels: (H, W) for "gray", (H, W, 3) for "rgb24" or (H, W, 4) for "rgba", uint8, of the source's size.
            pixel_format: one of the three above.
            frame: the frame whose timestamps are used.

        Raises:
            VosctlError: the picture's size differs from the source's first, or the file cannot be written.
        """
        self._check_size(pixels.shape, frame)
        if self._comes_too_soon(frame):
            return
        with self._target.errors():
            self._put(self._convert(pixels, pixel_format), frame)

    def takes_planes(self, picture: PlanarPicture) -> bool:
        """Return whether the picture's planes can be encoded as they are (or brought to limited range)."""
        height, width, _ = picture.shape
        return (
            self._encoding.pixel_format == "yuv420p"
            and picture.coding.matrix == self.coding.matrix
            and not (height % 2 or width % 2)
        )

    def write_planes(self, picture: PlanarPicture, draw: Callable[[Planes], None], frame: Frame) -> None:
        """Encode a picture's planes with something drawn on them, at the time of `frame`.

        Args:
            picture: one that `takes_planes` says yes to; it is left as it is.
            draw: draws on a copy of the planes, coded as `coding` says.
            frame: the frame whose timestamps are used.

        Raises:
            VosctlError: see `write`.
        """
        self._check_size(picture.shape, frame)
        if self._comes_too_soon(frame):
            return
        with self._target.errors():
            height, width, _ = picture.shape
            canvas = av.VideoFrame(width, height, "yuv420p")
            planes = planes_of(canvas)
            picture.copy_limited(planes)
            draw(planes)
            self._put(canvas, frame)

    def _check_size(self, shape: tuple[int, ...], frame: Frame) -> None:
        height, width = shape[:2]
        if (width, height) != (self._info.width, self._info.height):
            raise VosctlError(
                f"{self._shown}: frame {frame.index} is {width}x{height} but the video is "
                f"{self._info.width}x{self._info.height}; a video file holds one size only"
            )

    def _comes_too_soon(self, frame: Frame) -> bool:
        """Return whether the picture before a frame would be shown for less than the format can say; count it."""
        least, held = self._encoding.least_ticks, self._held
        early = least > 0 and held is not None and self._ticks(frame, frame.pts) < held.pts + (self._shift or 0) + least
        self._left_out += early
        return early

    def _put(self, picture: av.VideoFrame, frame: Frame) -> None:
        pts = self._timestamp(frame)
        # One frame is held back because the time to the next is its duration where the source gives none.
        held, self._held = self._held, None
        if held is not None:
            self._encode(held, pts - held.pts)
        duration = self._ticks(frame, frame.duration)
        self._held = _Timed(picture, pts, max(duration, self._encoding.least_ticks) if duration else 0)

    def _convert(self, pixels: NDArray[np.uint8], pixel_format: str) -> av.VideoFrame:
        if self._encoding.pixel_format == "pal8":
            return with_palette(pixels)
        picture = frame_of(pixels, pixel_format, self._stream.width, self._stream.height)
        if pixel_format == "gray" and self._encoding.pixel_format == "yuv420p":
            return limited_grey(picture)
        if pixel_format == self._encoding.pixel_format:
            return picture
        colorspace = Colorspace.ITU709 if self.coding.matrix == "bt709" else Colorspace.ITU601
        return self._reformatter.reformat(
            picture,
            format=self._encoding.pixel_format,
            src_colorspace=colorspace,
            dst_colorspace=colorspace,
            interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )

    def _ticks(self, frame: Frame, value: int) -> int:
        if frame.time_base == self._info.time_base:
            return value
        return round(value * frame.time_base / self._info.time_base)

    def _timestamp(self, frame: Frame) -> int:
        pts = self._ticks(frame, frame.pts)
        if self._shift is None:
            whole = self._info.cut_at is None and self._target.muxer != Y4M
            self._shift = 0 if whole and 0 <= frame.time < _FAR_START else pts
            self._begin = frame.pts * frame.time_base
            if self._copy is not None:
                self._copy.shift = self._shift * self._info.time_base
                if not whole:
                    self._copy.cut_before(self._copy.shift)
        pts -= self._shift
        if self._target.muxer == Y4M:
            # Counted from the first frame: its own time may lie half a frame beside a whole number of them.
            pts = round((frame.pts * frame.time_base - self._begin) / self._info.time_base)
            if pts != (0 if self._held is None else self._held.pts + 1):
                raise VosctlError(
                    f"{self._shown}: y4m holds one frame rate only, and frame {frame.index} does not come when "
                    f"{float(1 / self._info.time_base):.5g} frames a second have it; leave `pipe_format=y4m` out, "
                    "Matroska holds any times"
                )
        if self._held is not None and pts <= self._held.pts:
            raise VosctlError(f"{self._shown}: the time of frame {frame.index} is not after the frame before it")
        return pts

    def _encode(self, timed: _Timed, gap: int) -> Fraction:
        """Encode a picture and the sound under it; return how many ticks it is shown, `gap` where it is not known."""
        picture, duration = timed.picture, timed.duration or gap
        picture.pts, picture.duration, picture.time_base = timed.pts, duration, self._info.time_base
        # Some encoders, ProRes is one, write down what the pictures say and not what they were opened with.
        picture.color_primaries, picture.color_trc = self._info.colours
        self._last_duration = duration
        self._mux(picture)
        if self._copy is not None:
            self._copy.copy_until(self._source_time(timed.pts + duration))
        return Fraction(duration)

    def _mux(self, picture: av.VideoFrame | None) -> None:
        """Encode a picture, or with None what is pending, and write what comes out."""
        try:
            self._container.mux(self._stream.encode(picture))
        except (OSError, av.FFmpegError) as error:
            if is_of_the_disk(error) or self._target.partial is None:
                raise
            raise VosctlError(
                f"{self._shown}: the picture ({self._encoding.codec}) cannot be written: {error.strerror}; write "
                + " or ".join([one for one in (".mkv", ".mp4", ".webm") if one != self.path.suffix.lower()][:2])
            ) from error

    def _source_time(self, pts: int | Fraction) -> Fraction:
        return (pts + (self._shift or 0)) * self._info.time_base

    def finish(self) -> Path:
        """Write what is pending and give the file its name.

        Raises:
            VosctlError: there was no frame, or the file cannot be written.
        """
        if self._held is None:
            raise VosctlError(f"{self._shown}: not written, there was no frame")
        with self._target.errors():
            self._complete()
        if self._left_out:
            self._warn(
                f"{self._shown}: {self._left_out} picture(s) were left out, {self._encoding.called} shows "
                f"{self._encoding.most_a_second} a second at most; .mp4 and .webm hold them all"
            )
        return self._target.commit()

    def abort(self) -> Path | None:
        """Completes the file with the frames so far, without giving it its name.

        Returns:
            The playable partial file, or None when it was removed: without a frame, or not to be completed (a full disk
            takes no index), it cannot be played. Matroska and WebM are, up to where they end.
        """
        # The reason the run was aborted is already being reported, another error would only hide it.
        with suppress(OSError, av.FFmpegError, VosctlError):
            self._complete()
        return self._target.give_up(whole=self._whole)

    def cancel(self) -> None:
        """Have a write to a pipe that waits for its reader return soon, from any thread."""
        self._target.cancel()

    def abandon(self) -> Path | None:
        """Leave the file as it is, from another thread; see `Sink.abandon`."""
        return self._target.abandon()

    @property
    def partial(self) -> Path | None:
        """Where the file is until it is finished; None where it is no file."""
        return self._target.partial

    def _complete(self) -> None:
        last, self._held = self._held, None
        try:
            if last is not None:
                duration = self._encode(last, self._last_duration)
                self._mux(None)
                if self._copy is not None:
                    end = last.pts + duration
                    late = end - duration / (2 * self._info.every)  # the source's own frames may go on up to the end
                    self._copy.finish(self._source_time(late), self._source_time(end))
        finally:
            self._close_copy()
            self._container.close()
        self._whole = self._whole or last is not None

    def _close_copy(self) -> None:
        if self._copy is not None:
            self._copy.close()
