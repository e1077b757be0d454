"""Clips to measure on: the demo scene at any size, with as many objects as wanted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.benchmark.cases import SIZES
from vosctl.demo.scene import CUP_ID, Scene
from vosctl.types import RGBImage
from vosctl.video.encoder import VideoWriter
from vosctl.video.encodings import H264
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.masks import write_indexed_png

RENDERED_WIDTH, RENDERED_HEIGHT = 960, 540  # drawing the scene in 4K takes seconds a frame: it is enlarged
PERIOD = 24
COPY_SCALE = 0.45
RATE = Fraction(25)


class MadeClips:
    """Writes the clips of a benchmark; the scene is drawn once.

    One object is the cup, the second the raccoon, all further ones are small copies of the cup, placed in a ring and
    moved with it.

    Args:
        folder: where the clips are written.
        period: frames that are drawn; they are shown forwards and backwards.
    """

    def __init__(self, folder: Path, period: int = PERIOD) -> None:
        self._folder = folder
        self._period = period
        self._scene = Scene(RENDERED_WIDTH, RENDERED_HEIGHT)
        self._drawn: dict[int, tuple[RGBImage, RGBImage]] = {}

    def write(self, size: str, objects: int, frames: int) -> tuple[Path, Path]:
        """Write an H.264 video and its first mask, an indexed PNG with the ids 1 to `objects`, unless they are there.

        Args:
            size: key of `SIZES`.
            objects: how many.
            frames: length.
        """
        clip = self._folder / f"{size}-{objects}.mp4"
        mask = clip.with_suffix(".png")
        if clip.exists():
            return clip, mask
        width, height = SIZES[size]
        first = cv2.resize(self.first_labels(objects), (width, height), interpolation=cv2.INTER_NEAREST)
        write_indexed_png(mask, np.asarray(first, np.uint8))
        info = SourceInfo(clip.stem, width, height, RATE, 1 / RATE)
        writer = VideoWriter(clip, info, H264, overwrite=False, audio=False, warn=print)
        for index, image in enumerate(self.pictures(objects, frames)):
            enlarged = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
            writer.write(enlarged, "rgb24", Frame(index, enlarged, index, 1 / RATE, 1))
        writer.finish()
        return clip, mask

    def pictures(self, objects: int, frames: int) -> Iterator[RGBImage]:
        """Yield the pictures, (540, 960, 3) uint8 RGB."""
        for index in range(frames):
            turn = index % (2 * self._period - 2)
            yield self._picture(min(turn, 2 * self._period - 2 - turn), objects)[0]

    def first_labels(self, objects: int) -> RGBImage:
        """Return the first picture's labels, (540, 960) uint8, 1 to `objects`."""
        return self._picture(0, objects)[1]

    def _frame(self, index: int) -> tuple[RGBImage, RGBImage]:
        """Draw a frame of the scene and its labels, once."""
        if index not in self._drawn:
            self._drawn[index] = self._scene.frame(index)
        return self._drawn[index]

    def _picture(self, index: int, objects: int) -> tuple[RGBImage, RGBImage]:
        """Return a frame and its labels, 1 to `objects`."""
        image, scene_labels = self._frame(index)
        labels = np.where(scene_labels == CUP_ID, 1, 0).astype(np.uint8)
        if objects >= 2:
            labels[(scene_labels > 0) & (scene_labels != CUP_ID)] = 2
        if objects <= 2:
            return image, labels
        image = image.copy()
        patch, shape = self._copy(index)
        start, now = self._cup_middle(0), self._cup_middle(index)
        for number in range(objects - 2):
            angle = math.pi + 2 * math.pi * number / (objects - 2)  # the cup itself is on the right
            x = RENDERED_WIDTH * (0.5 + 0.38 * math.cos(angle)) + 0.3 * (now[0] - start[0])
            y = RENDERED_HEIGHT * (0.5 + 0.36 * math.sin(angle)) + 0.3 * (now[1] - start[1])
            _paste(image, labels, patch, shape, (round(x), round(y)), 3 + number)
        return image, labels

    def _cup_box(self, index: int) -> tuple[int, int, int, int]:
        x, y, width, height = cv2.boundingRect((self._frame(index)[1] == CUP_ID).view(np.uint8))
        return x, y, width, height

    def _cup_middle(self, index: int) -> tuple[float, float]:
        x, y, width, height = self._cup_box(index)
        return x + width / 2, y + height / 2

    def _copy(self, index: int) -> tuple[RGBImage, NDArray[np.bool_]]:
        """Return the cup, shrunk, and where it is."""
        x, y, width, height = self._cup_box(index)
        image, labels = (part[y : y + height, x : x + width] for part in self._frame(index))
        size = round(width * COPY_SCALE), round(height * COPY_SCALE)
        shape = cv2.resize((labels == CUP_ID).view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), shape.astype(np.bool_)


def _paste(
    image: RGBImage, labels: RGBImage, patch: RGBImage, shape: NDArray[np.bool_], middle: tuple[int, int], label: int
) -> None:
    """Draw the patch where `shape` is, cut off at the picture's edges."""
    height, width = shape.shape
    x, y = middle[0] - width // 2, middle[1] - height // 2
    left, top = max(-x, 0), max(-y, 0)
    right, bottom = min(image.shape[1] - x, width), min(image.shape[0] - y, height)
    inside = shape[top:bottom, left:right]
    rows, columns = slice(y + top, y + bottom), slice(x + left, x + right)
    image[rows, columns][inside] = patch[top:bottom, left:right][inside]
    labels[rows, columns][inside] = label
