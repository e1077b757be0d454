"""An image file that holds several pictures (animated PNG and WebP, TIFF of several pages) as a source of frames."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosctl.errors import VosctlError
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.sources.base import Source
from vosctl.video.sources.images import DEFAULT_FRAME_RATE
from vosctl.video.sources.pictures import PILLOW_ERRORS, pixels_of
from vosctl.video.sources.times import FrameTimes

_FORMATS = ("PNG", "WEBP", "TIFF")  # a phone's JPEG may hold a second picture, which is no second frame
_UNSTATED = 100  # milliseconds that browsers show a picture whose duration is 0


def is_animated(path: Path) -> bool:
    """Return whether an image file is animated, of several pictures; False when it cannot be read."""
    try:
        with Image.open(path) as image:
            return image.format in _FORMATS and getattr(image, "n_frames", 1) > 1
    except PILLOW_ERRORS:
        return False


class AnimationSource(Source):
    """The pictures of one file, each shown as long as the file says.

    Args:
        path: the file.
        frame_rate: pictures per second instead of what the file says; the pages of a TIFF, of which it says nothing,
            are shown at 24 without it.

    Raises:
        VosctlError: the first picture cannot be read.
    """

    def __init__(self, path: Path, frame_rate: Fraction | None = None) -> None:
        super().__init__()
        self._path = path
        self.files = (path,)
        self._other_sizes: set[int] = set()
        try:
            self._image = Image.open(path)
            # A PNG may begin with a picture for viewers that know no animation.
            self._start = 1 if self._image.info.get("default_image") else 0
            self._count = int(getattr(self._image, "n_frames", 1)) - self._start
            self._first: NDArray[np.uint8] | None = self._pixels(0)
        except PILLOW_ERRORS as error:
            raise VosctlError(f"{path}: cannot be read as an image: {error}; replace it") from error
        if self._image.format == "TIFF":
            frame_rate = frame_rate or DEFAULT_FRAME_RATE
        self._fixed = frame_rate is not None
        rate = frame_rate or Fraction(1000 / self._milliseconds()).limit_denominator(1001)
        height, width, _ = self._first.shape
        self.info = SourceInfo(
            name=path.stem,
            width=width,
            height=height,
            frame_rate=rate,
            time_base=1 / rate if self._fixed else Fraction(1, 1000),
            frame_count=self._count,
        )

    def _pixels(self, number: int) -> NDArray[np.uint8]:
        self._image.seek(self._start + number)
        return pixels_of(self._path, self._image, self._remember)

    def _remember(self, path: Path, trouble: str) -> None:
        note = f"{path}: {trouble}"
        self._notes += [note] if note not in self._notes else []

    def _milliseconds(self) -> float:
        """Return how long the picture read last is shown."""
        return float(self._image.info.get("duration") or _UNSTATED)

    def _tallies(self) -> list[str]:
        if not self._other_sizes:
            return []
        return [f"{self._path}: {len(self._other_sizes)} picture(s) of another size than the first were left out"]

    @property
    def is_seekable(self) -> bool:
        """See `Source.is_seekable`."""
        return True

    def _look_through(self) -> FrameTimes:
        """Each picture is decoded: only then is it known whether it is one, and of which size."""
        last, times = None, []
        for last in self._frames(0):
            times.append(last.pts)
        return FrameTimes.of(np.array(times, np.int64), self.info.time_base, last.duration if last else 0)

    def _frames(self, begin: int) -> Generator[Frame, None, None]:
        index, elapsed = 0, 0.0
        for number in range(self._count):
            try:
                pixels = self._pixels(number) if self._first is None else self._first
            except PILLOW_ERRORS as error:
                note = f"{self._path}: ends after {number} of {self._count} pictures: {error}"
                self._notes += [note] if note not in self._notes else []
                return
            self._first = None
            if pixels.shape[:2] != (self.info.height, self.info.width):
                self._other_sizes.add(number)
                continue
            end = elapsed + (1 if self._fixed else self._milliseconds())
            pts, duration = round(elapsed), round(end) - round(elapsed)
            if index >= begin:
                yield Frame(index=index, picture=pixels, pts=pts, time_base=self.info.time_base, duration=duration)
            index, elapsed = index + 1, max(end, pts + 1)

    def _release(self) -> None:
        self._image.close()
