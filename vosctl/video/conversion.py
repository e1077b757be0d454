"""Arrays of pixels as frames of FFmpeg's own, which the encoders take."""

from __future__ import annotations

from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.video.planar import limited_tables, plane_of, planes_of


def frame_of(pixels: NDArray[np.uint8], pixel_format: str, width: int, height: int) -> av.VideoFrame:
    """Return a frame of FFmpeg's own with the pixels in it, padded to a size by repeating the last column and row.

    FFmpeg's conversions read beyond the end of a picture, where only memory of FFmpeg's own has room for it.

    Args:
        pixels: (H, W) or (H, W, C) uint8.
        pixel_format: FFmpeg's name of their format.
        width: at least W.
        height: at least H.
    """
    frame = av.VideoFrame(width, height, pixel_format)
    own_height, own_width = pixels.shape[:2]
    canvas = plane_of(frame, 0, channels=pixels.shape[2] if pixels.ndim == 3 else 1)
    canvas[:own_height, :own_width] = pixels
    if (own_height, own_width) != (height, width):
        canvas[:own_height, own_width:] = pixels[:, -1:]
        canvas[own_height:] = canvas[own_height - 1]
    return frame


def with_palette(pixels: NDArray[np.uint8]) -> av.VideoFrame:
    """Return a grey or RGB picture as 256 colours that suit it."""
    from PIL import Image

    image = Image.fromarray(pixels).convert("RGB").quantize(256)
    palette = np.zeros((256, 4), np.uint8)
    colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette[:, 0] = 255  # opaque; then red, green, blue
    palette[: len(colours), 1:] = colours
    indices: Any = (np.asarray(image, np.uint8), palette)  # PyAV takes both, though its types do not say so
    return av.VideoFrame.from_ndarray(indices, format="pal8")


def limited_grey(grey: av.VideoFrame) -> av.VideoFrame:
    """Return a grey picture of full range as limited yuv420p without a tinge; swscale gives HD a red one."""
    frame = av.VideoFrame(grey.width, grey.height, "yuv420p")
    luma, cb, cr = planes_of(frame)
    cv2.LUT(plane_of(grey, 0), limited_tables()[0], dst=luma)
    cb[:] = cr[:] = 128
    return frame
