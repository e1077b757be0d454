"""From a decoded picture to an upright one: its planes where they can be used as they are, else RGB."""

from __future__ import annotations

import struct
from threading import Lock

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from vosctl.video.planar import Coding, Picture, PlanarPicture, matrix_by_size, planes_of, rgb_of_planes
from vosctl.video.sources.hdr import HdrConverter, hdr_kind
from vosctl.video.sources.pictures import DARK

# FFmpeg's AVColorSpace values whose matrix swscale knows: BT.709, FCC, BT.470BG, SMPTE 170M and 240M, BT.2020 NCL.
_KNOWN_MATRICES = frozenset({1, 4, 5, 6, 7, 9})

# Those that planes may have, by the names used here.
_MATRIX_NAMES = {1: "bt709", 5: "bt601", 6: "bt601"}
_PLANAR_FORMATS = frozenset({"yuv420p", "yuvj420p", "nv12"})  # the last one is what GPUs decode to

# Without these swscale cuts off instead of rounding: pictures come out darker by 1 to 2 of 255.
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT

_GREY_FROM_LIMITED = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)

# The upper left 2x2 of a display matrix, (a, b, c, d): the stored pixel (x, y) is shown at (a x + c y, b x + d y).
_Matrix = tuple[int, int, int, int]
_IDENTITY: _Matrix = (1, 0, 0, 1)


class PictureReader:
    """Takes decoded frames to pictures with the rotation metadata applied.

    The picture's own colour matrix and range are used. Where it names no matrix, HD (wider than 1279 or higher than 576
    pixels) is taken as BT.709 and anything smaller as BT.601, as players do; swscale alone would take BT.601 for all.
    HDR is brought to standard dynamic range.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._hdr: dict[tuple[str, int, int], HdrConverter] = {}
        self._lock = Lock()
        self._rotation: float | None = None
        self._kept = False
        self._matrix = _IDENTITY
        self._brightest = 0

    @property
    def is_dark(self) -> bool:
        """Whether there was anything but black in pictures of 16 bits, and nothing above what 12 bits hold."""
        return 0 < self._brightest <= DARK

    def keep_rotation(self) -> None:
        """Take all further frames to be rotated like the last one, whatever their metadata say."""
        self._kept = True

    def is_on_its_side(self, frame: av.VideoFrame) -> bool:
        """Return whether the rotation metadata swaps width and height."""
        return _swaps_axes(self._matrix_of(frame))

    def upright_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Return (height, width) of the frame after its rotation metadata."""
        if self.is_on_its_side(frame):
            return frame.width, frame.height
        return frame.height, frame.width

    def read(self, frame: av.VideoFrame, size: tuple[int, int]) -> Picture:
        """Read a frame's picture: planes where it has them in 8 bits and 4:2:0, and the size asked for; else RGB.

        Args:
            frame: as the decoder gave it; planes are views of it.
            size: upright (height, width).
        """
        coding = _coding(frame)
        if coding is None or self.upright_size(frame) != size:
            return self.convert(frame, size)
        matrix = self._matrix_of(frame)
        luma, cb, cr = (_turn(plane, matrix) for plane in planes_of(frame))
        return PlanarPicture((luma, cb, cr), coding, lambda: self.convert(frame))

    def convert(self, frame: av.VideoFrame, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Convert one frame to RGB; may be called from any thread.

        Args:
            frame: as the decoder gave it.
            size: upright (height, width) to scale to; None keeps the frame's own.

        Returns:
            (H, W, 3) uint8 RGB, C-contiguous.
        """
        matrix = self._matrix_of(frame)
        height, width = size or self.upright_size(frame)
        if _swaps_axes(matrix):
            height, width = width, height
        with self._lock:
            rgb = self._to_rgb(frame, width, height)
        return np.ascontiguousarray(_turn(rgb, matrix))

    def _to_rgb(self, frame: av.VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        """Return the stored picture as (H, W, 3) uint8 RGB, scaled to a size; values are the nearest to the exact."""
        kind = hdr_kind(frame)
        if kind is not None:
            key = kind, width, height
            if key not in self._hdr:
                self._hdr[key] = HdrConverter(*key)
            return np.asarray(self._hdr[key].convert(frame, _source_matrix(frame)).to_ndarray(), np.uint8)
        coding = _coding(frame)
        if coding is not None and (width, height) == (frame.width, frame.height):
            return rgb_of_planes(planes_of(frame), coding)
        deep = _is_deep_full_range(frame)
        converted = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb48le" if deep else "rgb24",
            src_colorspace=_source_matrix(frame),
            interpolation=Interpolation.BILINEAR if deep else _EXACT,
        ).to_ndarray()
        if deep:
            if self._brightest <= DARK and any(component.bits == 16 for component in frame.format.components):
                self._brightest = max(self._brightest, int(converted.max()))
            # swscale takes the highest value of 10 bits for 1020 of 1023, and so on: up to 1.5 too bright.
            return np.asarray(cv2.convertScaleAbs(converted, alpha=255 / 65535), np.uint8)
        if _is_grey(frame) and frame.color_range == ColorRange.MPEG:
            return np.asarray(cv2.LUT(converted, _GREY_FROM_LIMITED), np.uint8)  # swscale takes all grey as full range
        return np.asarray(converted, np.uint8)

    def _matrix_of(self, frame: av.VideoFrame) -> _Matrix:
        # A frame whose side data was touched refers to itself and lives on until the garbage collector comes by: at
        # 1080p hundreds of megabytes. So it is read where the rotation changes, which is in the first frame.
        if not self._kept and frame.rotation != self._rotation:
            self._rotation = frame.rotation
            self._matrix = _display_matrix(frame)
        return self._matrix


def _is_grey(frame: av.VideoFrame) -> bool:
    return frame.format.name.startswith("gray")


def _is_deep_full_range(frame: av.VideoFrame) -> bool:
    """Return whether a picture has more than 8 bits a value and fills their range."""
    full = frame.format.is_rgb or frame.color_range == ColorRange.JPEG
    if _is_grey(frame):
        full = frame.color_range != ColorRange.MPEG
    return full and any(component.bits > 8 for component in frame.format.components)


def _source_matrix(frame: av.VideoFrame) -> int | None:
    if frame.format.is_rgb or frame.colorspace in _KNOWN_MATRICES:
        return None
    return int(Colorspace.ITU709 if matrix_by_size(frame.width, frame.height) == "bt709" else Colorspace.ITU601)


def _coding(frame: av.VideoFrame) -> Coding | None:
    """Return how the planes of a frame are coded; None when they are not of a kind that can be used as it is."""
    if frame.format.name not in _PLANAR_FORMATS or hdr_kind(frame) is not None:
        return None
    if frame.colorspace in _KNOWN_MATRICES:
        matrix = _MATRIX_NAMES.get(frame.colorspace)
    else:
        matrix = matrix_by_size(frame.width, frame.height)
    full_range = frame.format.name == "yuvj420p" or frame.color_range == ColorRange.JPEG
    return None if matrix is None else Coding(matrix, full_range)


def _display_matrix(frame: av.VideoFrame) -> _Matrix:
    side_data = frame.side_data.get(SideDataType.DISPLAYMATRIX)  # type: ignore[call-overload]
    if side_data is None:
        return _IDENTITY
    a, b, _, c, d = struct.unpack("=5i", bytes(side_data)[:20])
    return a, b, c, d


def _swaps_axes(matrix: _Matrix) -> bool:
    a, b, c, d = matrix
    return abs(b) + abs(c) > abs(a) + abs(d)


def _turn(image: NDArray[np.uint8], matrix: _Matrix) -> NDArray[np.uint8]:
    """Turn by quarter turns and mirror; an angle between two quarter turns goes to the nearer one."""
    a, b, c, d = matrix
    if _swaps_axes(matrix):
        if b > 0 > c:
            return np.asarray(cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE), np.uint8)
        if b < 0 < c:
            return np.asarray(cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE), np.uint8)
        transposed = cv2.transpose(image)
        return np.asarray(transposed if b > 0 else cv2.flip(transposed, -1), np.uint8)
    if a < 0 or d < 0:
        return np.asarray(cv2.flip(image, -1 if a < 0 and d < 0 else int(a < 0)), np.uint8)
    return image
