"""Objects drawn on the frame: a tint and a contour in a colour of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.types import RGB, Box
from vosctl.video.colours import ObjectColours
from vosctl.video.planar import Coding, Planes

_TINT = 0.42
"""Share of the object's colour in the tinted pixels."""
_CONTOUR_PIXELS_PER_LINE = 1 / 360
"""Contour width over the frame's short side: 1 pixel at 240p, 3 at 1080p, 6 at 4K."""


def contour_width(height: int, width: int) -> int:
    """Return the width in pixels of the contours on a frame of `height` x `width` pixels."""
    return max(1, round(min(height, width) * _CONTOUR_PIXELS_PER_LINE))


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """An object's pixels.

    Attributes:
        x: left edge in the frame, even.
        y: top edge in the frame, even.
        mask: (h, w) uint8, 1 where the object is; h and w are even but at the border of a frame of odd size.
        contours: its outlines, in pixels of the frame.
    """

    x: int
    y: int
    mask: NDArray[np.uint8]
    contours: list[NDArray[np.int32]]

    @classmethod
    def of(cls, item: TrackedObject, box: Box, labels: NDArray[np.uint8]) -> _Shape:
        left, top, width, height = box
        x, y = left - left % 2, top - top % 2
        right, bottom = left + width + (left + width) % 2, top + height + (top + height) % 2
        mask = (labels[y:bottom, x:right] == item.id).view(np.uint8)
        # The approximation halves the segments to draw and takes the pixel steps out of the outline.
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_TC89_L1, offset=(x, y))
        return cls(x, y, mask, [np.asarray(contour, np.int32) for contour in contours])


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """Pixels to draw on: an RGB picture, or one plane of a planar one.

    Attributes:
        pixels: (H, W) or (H, W, 3) uint8, drawn on in place.
        value: a colour's value in them, one number a channel.
        halved: whether the pixels are half as many as the frame's in each direction.
    """

    pixels: NDArray[np.uint8]
    value: Callable[[RGB], tuple[float, ...]]
    halved: bool = False

    def tint(self, shape: _Shape, colour: RGB) -> None:
        mask, x, y = shape.mask, shape.x, shape.y
        if self.halved:
            x, y = x // 2, y // 2
            size = mask.shape[1] // 2, mask.shape[0] // 2
            mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.uint8)
        height, width = mask.shape
        part = self.pixels[y : y + height, x : x + width]
        cv2.copyTo(cv2.LUT(part, _tint_table(self.value(colour))), mask, part)

    def outline(self, shape: _Shape, colour: RGB, width: int) -> None:
        if self.halved:
            width = (width + 1) // 2
        cv2.polylines(self.pixels, shape.contours, True, self.value(colour), width, cv2.LINE_AA, shift=int(self.halved))


@lru_cache(maxsize=1024)
def _tint_table(value: tuple[float, ...]) -> NDArray[np.uint8]:
    """Return (1, 256) or (1, 256, channels) uint8: each channel's value after mixing with the colour's."""
    mixed = np.arange(256)[:, None] * (1 - _TINT) + np.array(value) * _TINT
    table = np.rint(mixed).astype(np.uint8)[None]
    return table[..., 0] if len(value) == 1 else table


def render_overlay(
    image: NDArray[np.uint8], result: TrackedFrame, colours: Mapping[int, RGB] | None = None
) -> NDArray[np.uint8]:
    """Draws the objects of a frame on a copy of it.

    Args:
        image: (H, W, 3) uint8 RGB, left as it is.
        result: labels and objects of the same frame; lost objects are not drawn.
        colours: of each object, by id; those of the ids by default.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    canvas: NDArray[np.uint8] = image.copy()
    _draw((_Layer(canvas, lambda colour: colour),), result, ObjectColours() if colours is None else colours)
    return canvas


def draw_overlay(
    planes: Planes, coding: Coding, result: TrackedFrame, colours: Mapping[int, RGB] | None = None
) -> None:
    """Draws the objects of a frame on its planes, in place, as `render_overlay` does on an RGB picture.

    Args:
        planes: of a frame of even height and width.
        coding: what the numbers in the planes stand for.
        result: labels and objects of the same frame; lost objects are not drawn.
        colours: of each object, by id; those of the ids by default.
    """

    def layer(index: int) -> _Layer:
        return _Layer(planes[index], lambda colour: (coding.encode(colour)[index],), halved=index > 0)

    _draw((layer(0), layer(1), layer(2)), result, ObjectColours() if colours is None else colours)


def _draw(layers: tuple[_Layer, ...], result: TrackedFrame, colours: Mapping[int, RGB]) -> None:
    shapes = [(colours[item.id], _Shape.of(item, item.box, result.labels)) for item in result.objects if item.box]
    line_width = contour_width(*result.labels.shape)
    # All tints before any contour, so that a neighbour's tint never covers a contour.
    for colour, shape in shapes:
        for layer in layers:
            layer.tint(shape, colour)
    for colour, shape in shapes:
        for layer in layers:
            layer.outline(shape, colour, line_width)
