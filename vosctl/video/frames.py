"""What travels from a source through the tracker to the sinks: one decoded frame."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vosctl.video.planar import Picture, rgb_of


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded, upright frame.

    Attributes:
        index: position in the source, from 0, counting decoded frames.
        picture: rotation metadata already applied: (H, W, 3) uint8 RGB, C-contiguous, or the planes of a video's frame.
        pts: presentation time in units of `time_base`, as the source gave it.
        time_base: seconds per unit of `pts`.
        duration: units of `time_base` the frame is shown for, 0 when unknown.
        name: stem of the image file it came from, None for a frame of a video.
    """

    index: int
    picture: Picture
    pts: int
    time_base: Fraction
    duration: int = 0
    name: str | None = None

    @property
    def image(self) -> NDArray[np.uint8]:
        """The picture as (H, W, 3) uint8 RGB, C-contiguous; planes are converted at each call."""
        return rgb_of(self.picture)

    @property
    def time(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)


BT709 = 1, 1
"""Primaries and transfer of ordinary video, by their numbers in ITU-T H.273."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before its frames are read.

    Attributes:
        name: short name for messages and for the default output's stem ("clip" for clip.mp4, "stdin" for "-").
        width: upright width in pixels (after rotation metadata).
        height: upright height in pixels.
        frame_rate: nominal frames per second as an exact fraction (29.97 is 30000/1001), None when unknown.
        time_base: seconds per unit of the frames' `pts`.
        frame_count: the container's claim, a hint for progress only; None when unknown or endless.
        audio_path: file whose audio streams belong to this source, None when there are none to copy.
        container_path: file whose subtitles, chapters and tags belong to this source, None when it is no such file.
        live: True for network streams and cameras.
        pixel_aspect: width of an upright pixel over its height; 1 for square ones.
        cut_at: not before which time, in seconds on the source's clock, the frames begin, where they are a part of the
            source's: outputs begin with the first frame, and so does what is copied into them. None for all frames.
        every: the frames are one in so many of the source's.
        colours: what the frames' red, green and blue stand for: primaries and transfer, by their numbers in ITU-T
            H.273; BT.709's where the source says nothing. The matrix is `Coding`'s.
    """

    name: str
    width: int
    height: int
    frame_rate: Fraction | None
    time_base: Fraction
    frame_count: int | None = None
    audio_path: str | None = None
    container_path: str | None = None
    live: bool = False
    pixel_aspect: Fraction = Fraction(1)
    cut_at: Fraction | None = None
    every: int = 1
    colours: tuple[int, int] = BT709
