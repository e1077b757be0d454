"""Pictures as video codecs hold them: 8-bit luma and two chroma planes of half the size (Y'CbCr 4:2:0).

Following an object needs the colours of its crop only, and an overlay changes the object only. On the planes both
cost a fraction of converting every whole frame twice, and what lies beside the object keeps its exact values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.types import RGB, RGBImage

if TYPE_CHECKING:
    from av import VideoFrame

Plane = NDArray[np.uint8]
Planes = tuple[Plane, Plane, Plane]

_LUMA_WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
"""Weights of red and blue in the luma (ITU-R BT.601 and BT.709)."""


def matrix_by_size(width: int, height: int) -> str:
    """Return the matrix of a video that names none, "bt709" in HD and "bt601" below, as players take it."""
    return "bt709" if width >= 1280 or height > 576 else "bt601"


@dataclass(frozen=True, slots=True)
class Coding:
    """How the planes' numbers stand for colours.

    Attributes:
        matrix: "bt601" or "bt709".
        full_range: whether the numbers fill 0..255; else luma is 16..235 and chroma 16..240.
    """

    matrix: str
    full_range: bool

    def encode(self, colour: RGB) -> tuple[float, float, float]:
        """Luma, Cb and Cr of a colour given as red, green and blue, 0..255; not rounded."""
        red_weight, blue_weight = _LUMA_WEIGHTS[self.matrix]
        red, green, blue = colour
        luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
        cb, cr = (blue - luma) / (2 - 2 * blue_weight), (red - luma) / (2 - 2 * red_weight)
        if self.full_range:
            return luma, min(128 + cb, 255.0), min(128 + cr, 255.0)
        return 16 + luma * 219 / 255, 128 + cb * 224 / 255, 128 + cr * 224 / 255

    def decode(self, ycbcr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return (H, W, 3) uint8 luma, Cb, Cr to (H, W, 3) uint8 RGB."""
        return np.asarray(cv2.transform(ycbcr, _rgb_matrix(self)), np.uint8)

    def rgb_matrix(self) -> NDArray[np.float32]:
        """Return (3, 4) float32 from luma, Cb, Cr and 1 to red, green and blue, 0..255."""
        return _rgb_matrix(self).copy()


@lru_cache
def _rgb_matrix(coding: Coding) -> NDArray[np.float32]:
    """Return (3, 4) from luma, Cb, Cr and 1 to red, green and blue."""
    red_weight, blue_weight = _LUMA_WEIGHTS[coding.matrix]
    green_weight = 1 - red_weight - blue_weight
    red, blue = 2 - 2 * red_weight, 2 - 2 * blue_weight
    green = [-blue * blue_weight / green_weight, -red * red_weight / green_weight]
    linear = np.array([[1, 0, red], [1, *green], [1, blue, 0]])
    if not coding.full_range:
        linear *= [255 / 219, 255 / 224, 255 / 224]
    black = np.array([0 if coding.full_range else 16, 128, 128])
    return np.column_stack((linear, -linear @ black)).astype(np.float32)


@lru_cache
def limited_tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Full to limited range: (256,) uint8 of luma and of chroma."""
    values = np.arange(256)
    luma, chroma = 16 + values * 219 / 255, 128 + (values - 128) * 224 / 255
    return np.rint(luma).astype(np.uint8), np.rint(chroma).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class PlanarPicture:
    """One upright picture, never modified.

    Attributes:
        planes: luma (H, W), Cb and Cr (ceil(H / 2), ceil(W / 2)), uint8.
        coding: what their numbers stand for.
        to_rgb: gives the whole picture as (H, W, 3) uint8 RGB, C-contiguous.
    """

    planes: Planes
    coding: Coding
    to_rgb: Callable[[], RGBImage]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, 3), as of the RGB picture."""
        height, width = self.planes[0].shape
        return height, width, 3

    def copy_limited(self, canvas: Planes) -> None:
        """Copy the planes, brought to limited range, into others of their shapes."""
        if not self.coding.full_range:
            for plane, target in zip(self.planes, canvas, strict=True):
                np.copyto(target, plane)
            return
        luma, chroma = limited_tables()
        for plane, target, table in zip(self.planes, canvas, (luma, chroma, chroma), strict=True):
            cv2.LUT(plane, table, dst=target)


def plane_of(frame: VideoFrame, index: int, channels: int = 1) -> Plane:
    """Return one plane of a PyAV frame without its padding, as a view that keeps it alive.

    Args:
        frame: of 8 bits a value.
        index: which plane.
        channels: values a pixel.

    Returns:
        (H, W) uint8, or (H, W, C) for several channels.
    """
    plane = frame.planes[index]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    if channels == 1:
        return rows[:, : plane.width]
    shape, strides = (plane.height, plane.width, channels), (plane.line_size, channels, 1)
    return np.lib.stride_tricks.as_strided(rows, shape, strides)


def planes_of(frame: VideoFrame) -> Planes:
    """Return the three planes of a PyAV frame without their padding, as views that keep it alive.

    Chroma of "nv12" lies in one plane, Cb and Cr in turns, and is copied.
    """
    if frame.format.name == "nv12":
        cb, cr = cv2.split(np.ascontiguousarray(plane_of(frame, 1, 2)))
        return plane_of(frame, 0), np.asarray(cb, np.uint8), np.asarray(cr, np.uint8)
    return plane_of(frame, 0), plane_of(frame, 1), plane_of(frame, 2)


def rgb_of_planes(planes: Planes, coding: Coding) -> RGBImage:
    """Decode planes of 8 bits and 4:2:0 to RGB: exact within rounding, in about a quarter of swscale's time."""
    luma, *chroma = planes
    height, width = luma.shape
    full = [
        cv2.resize(plane, (2 * plane.shape[1], 2 * plane.shape[0]), interpolation=cv2.INTER_LINEAR)[:height, :width]
        for plane in chroma
    ]
    return coding.decode(np.asarray(cv2.merge([luma, *full]), np.uint8))


Picture = RGBImage | PlanarPicture
"""A frame's picture: (H, W, 3) uint8 RGB, or planes."""


def rgb_of(picture: Picture) -> RGBImage:
    """Return a picture as (H, W, 3) uint8 RGB; an array is returned as it is."""
    return picture.to_rgb() if isinstance(picture, PlanarPicture) else picture
