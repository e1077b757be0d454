"""A frame's result as bytes, without loss.

A mask is the run lengths of its box, down the columns, beginning with background, as COCO counts them. A matte is a PNG
of the part that is not transparent: it holds the soft band round the outlines, and what is even compresses to nothing.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from vosctl.types import Alpha, Box, Mask

_PNG_OPTIONS = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP)
_LARGEST = (1 << 16) - 1
_NUMBER = np.dtype("<u4")


@dataclass(frozen=True, slots=True)
class PackedMatte:
    """A matte as it is kept.

    Attributes:
        x: left edge of what is kept, in pixels.
        y: top edge of it.
        png: grey, 8 bits; b"" where the matte is empty.
    """

    x: int
    y: int
    png: bytes


def pack_mask(mask: Mask) -> bytes:
    """Pack a (H, W) mask; b"" when it is empty."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    if not width:
        return b""
    columns = np.ascontiguousarray(mask[y : y + height, x : x + width].T).ravel()
    edges = np.flatnonzero(columns[1:] != columns[:-1]) + 1
    runs = np.diff(np.concatenate(([0], edges, [columns.size])))
    if columns[0]:
        runs = np.concatenate(([0], runs))
    return zlib.compress(np.concatenate(((x, y, width, height), runs)).astype(_NUMBER).tobytes(), 6)


def unpack_mask(packed: bytes, height: int = _LARGEST, width: int = _LARGEST) -> tuple[Box, Mask] | None:
    """Unpack a mask into its box, x, y, width, height, and (height, width) bool; None when it is empty.

    Args:
        packed: what `pack_mask` gave.
        height: of the frame in pixels, which the mask has to fit.
        width: of the frame in pixels.

    Raises:
        ValueError: it is damaged.
    """
    if not packed:
        return None
    try:
        reading = zlib.decompressobj()
        # No mask has more runs than pixels; what is packed to fill the memory is not unpacked.
        data = reading.decompress(packed, _NUMBER.itemsize * (height * width + 5))
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not reading.eof or len(data) % _NUMBER.itemsize or len(data) < 5 * _NUMBER.itemsize:
        raise ValueError("cut off")
    numbers = np.frombuffer(data, _NUMBER).astype(np.int64)
    x, y, wide, high = map(int, numbers[:4])
    runs = numbers[4:]
    if x + wide > width or y + high > height:
        raise ValueError("a mask beyond the frame")
    if int(runs.sum()) != wide * high:
        raise ValueError("the run lengths do not add up to the size")
    columns = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return (x, y, wide, high), np.ascontiguousarray(columns.reshape(wide, high).T)


def pack_matte(alpha: Alpha) -> PackedMatte:
    """Pack a (H, W) matte."""
    x, y, width, height = cv2.boundingRect(alpha)
    if not width:
        return PackedMatte(0, 0, b"")
    _, encoded = cv2.imencode(".png", alpha[y : y + height, x : x + width], _PNG_OPTIONS)
    return PackedMatte(x, y, encoded.tobytes())


def unpack_matte(packed: PackedMatte, height: int, width: int) -> Alpha:
    """Unpack a matte of a frame of `height` x `width` pixels.

    Raises:
        ValueError: it is damaged or does not fit the frame.
    """
    alpha = np.zeros((height, width), np.uint8)
    if packed.png:
        try:
            part = cv2.imdecode(np.frombuffer(packed.png, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            raise ValueError("no picture") from error
        if part is None or part.ndim != 2 or part.dtype != np.uint8:
            raise ValueError("no grey picture")
        place = alpha[packed.y : packed.y + part.shape[0], packed.x : packed.x + part.shape[1]]
        if min(packed.x, packed.y) < 0 or place.shape != part.shape:
            raise ValueError("beyond the frame")
        place[:] = part
    return alpha
