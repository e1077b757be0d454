"""What the objects are put before: a colour, an image, a video, or their own background out of focus."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from vosctl.errors import UsageError, VosctlError
from vosctl.types import RGB, RGBImage
from vosctl.video.frames import Frame
from vosctl.video.sources import Source, open_source

BLUR = "blur"
"""The word for the source's own background, out of focus."""
_BLUR_SHARE = 1 / 40
"""Width of the blur over the frame's short side."""

_SQUARE = Fraction(1)


class Background(Protocol):
    """Gives what is behind the objects."""

    def behind(self, frame: Frame) -> RGBImage:
        """Return the (H, W, 3) uint8 RGB background of a frame, of its size; frames are asked for in order."""
        ...

    def close(self) -> None:
        """Release what is read from."""


def background_file(text: str) -> Path | None:
    """Return the file that a background is read from; None where it is a colour or the blur."""
    return None if text == BLUR or _colour(text) is not None else Path(text)


def check_background(text: str) -> None:
    """Make sure that a background is one; a file is not opened.

    Raises:
        UsageError: it is no file, no colour and not the blur.
    """
    file = background_file(text)
    if file is not None and not file.is_file():
        raise UsageError(
            f"`background={text}`: is no file, and no colour; give {BLUR}, a colour such as white or #00ff00, "
            "or an image or a video file"
        )


def open_background(
    text: str,
    height: int,
    width: int,
    pixel_aspect: Fraction = _SQUARE,
    warn: Callable[[str], None] = lambda line: None,
) -> Background:
    """Open a background.

    Args:
        text: "blur", a colour by its name or as #rrggbb, or an image or a video file, which is scaled to cover the
            frame; a video begins again where it ends.
        height: of the frames in pixels.
        width: of the frames in pixels.
        pixel_aspect: width of the frames' pixels over their height.
        warn: is told, once, of each thing that goes wrong without stopping the reading, see `Source.warnings`.

    Raises:
        UsageError: it is none of these.
        VosctlError: the file cannot be read.
    """
    if text == BLUR:
        return _Blurred()
    if (colour := _colour(text)) is not None:
        return _Still(np.full((height, width, 3), colour, np.uint8))
    check_background(text)
    return _Moving(text, height, width, pixel_aspect, warn)


def _colour(text: str) -> RGB | None:
    from PIL import ImageColor

    if os.sep in text or Path(text).is_file():
        return None
    with suppress(ValueError):
        red, green, blue = ImageColor.getrgb(text)[:3]
        return red, green, blue
    return None


def covering(image: RGBImage, height: int, width: int, stretch: Fraction = _SQUARE) -> RGBImage:
    """Scale a picture to cover a frame, its middle kept, and cut off what is over: (height, width, 3).

    Args:
        image: (H, W, 3) uint8 RGB.
        height: of the frame in pixels.
        width: of the frame in pixels.
        stretch: the aspect of the picture's pixels over that of the frame's.
    """
    own_height, own_width = image.shape[:2]
    scale = max(height / own_height, width / (own_width * stretch))
    size = max(round(own_width * stretch * scale), width), max(round(own_height * scale), height)
    scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (size[1] - height) // 2, (size[0] - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


class _Still:
    def __init__(self, image: RGBImage) -> None:
        self._image = image

    def behind(self, frame: Frame) -> RGBImage:
        return self._image

    def close(self) -> None:
        return


class _Blurred:
    def behind(self, frame: Frame) -> RGBImage:
        height, width = frame.picture.shape[:2]
        return np.asarray(cv2.GaussianBlur(frame.image, (0, 0), max(min(height, width) * _BLUR_SHARE, 1)), np.uint8)

    def close(self) -> None:
        return


class _Moving:
    """A video, shown at the pace of the frames' own times; or a picture."""

    def __init__(self, spec: str, height: int, width: int, pixel_aspect: Fraction, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._told: set[str] = set()
        self._spec, self._height, self._width = spec, height, width
        self._pixel_aspect = pixel_aspect
        self._source: Source | None = None
        self._start: Fraction | None = None
        self._origin = Fraction(0)
        self._image: RGBImage | None = None
        self._begin()

    def _begin(self) -> None:
        self.close()
        self._source = open_source(self._spec)
        self._stretch = self._source.info.pixel_aspect / self._pixel_aspect
        self._frames: Iterator[Frame] = iter(self._source)
        first = next(self._frames, None)
        if first is None:
            raise VosctlError(f"{self._spec}: has no frame; give another background")
        self._origin, self._current = _time(first), first
        self._following = next(self._frames, None)
        self._image = None

    def behind(self, frame: Frame) -> RGBImage:
        self._start = _time(frame) if self._start is None else self._start
        wanted = _time(frame) - self._start
        while True:
            following = self._following
            if following is None:
                shown_until = _time(self._current) - self._origin + self._last_duration()
                if _time(self._current) == self._origin or wanted < shown_until:
                    break  # one picture only, or the last is still to be seen
                self._start += shown_until
                wanted -= shown_until
                self._begin()
            elif _time(following) - self._origin > wanted:
                break
            else:
                self._current, self._following, self._image = following, next(self._frames, None), None
        if self._image is None:
            self._image = covering(self._current.image, self._height, self._width, self._stretch)
        return self._image

    def _last_duration(self) -> Fraction:
        rate = None if self._source is None else self._source.info.frame_rate
        return self._current.duration * self._current.time_base or 1 / (rate or Fraction(25))

    def close(self) -> None:
        if self._source is None:
            return
        for line in self._source.warnings:
            if line not in self._told:  # it is read again from its beginning, and ends as often
                self._told.add(line)
                self._warn(line)
        self._source.close()


def _time(frame: Frame) -> Fraction:
    """Return when a frame is shown, in seconds, exactly."""
    return frame.pts * frame.time_base
