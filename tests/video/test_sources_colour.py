"""Colours against a conversion in floating point, written here from the ITU's formulas."""

from __future__ import annotations

import av
import numpy as np
import pytest

from vosctl.video.planar import rgb_of
from vosctl.video.sources.picture import PictureReader

# Luma weights of red and blue, and the number of the matrix in ITU-T H.273.
MATRICES = {"bt601": (0.299, 0.114, 6), "bt709": (0.2126, 0.0722, 1), "bt2020": (0.2627, 0.0593, 9)}
LIMITED, FULL = 1, 2
BLOCK, ROWS, COLUMNS = 16, 4, 6


def reference(planes, matrix, span, bits):
    """(H, W, 3) RGB, 0..255, not rounded."""
    red_weight, blue_weight, _ = MATRICES[matrix]
    unit, most = 1 << (bits - 8), (1 << bits) - 1
    offset, luma_range, chroma_range = (0, most, most) if span == FULL else (16 * unit, 219 * unit, 224 * unit)
    luma = (planes[0] - offset) / luma_range
    cb, cr = ((plane - 128 * unit) / chroma_range for plane in planes[1:])
    red, blue = luma + (2 - 2 * red_weight) * cr, luma + (2 - 2 * blue_weight) * cb
    green = (luma - red_weight * red - blue_weight * blue) / (1 - red_weight - blue_weight)
    return np.clip(np.stack((red, green, blue), -1), 0, 1) * 255


def fill(frame, bits, values):
    """Put blocks of one value each into the planes of a frame; returns the planes at full size."""
    depth = np.uint8 if bits == 8 else np.uint16
    planes = []
    for plane, blocks in zip(frame.planes, values, strict=True):
        across, down = BLOCK * plane.width // frame.width, BLOCK * plane.height // frame.height
        stored = np.zeros((plane.height, plane.line_size // np.dtype(depth).itemsize), depth)
        stored[:, : plane.width] = blocks.repeat(down, 0).repeat(across, 1)
        plane.update(stored.tobytes())
        planes.append(blocks.repeat(BLOCK, 0).repeat(BLOCK, 1).astype(float))
    return planes


def inner(image):
    """What lies well inside the blocks, where subsampled chroma has not been mixed with its neighbour's."""
    blocks = image.reshape(ROWS, BLOCK, COLUMNS, BLOCK, -1)
    return blocks[:, BLOCK // 4 : -BLOCK // 4, :, BLOCK // 4 : -BLOCK // 4]


def colour_frame(pixel_format, matrix, span, bits):
    random = np.random.default_rng(0)
    unit, most = 1 << (bits - 8), (1 << bits) - 1
    low, high = (0, most) if span == FULL else (16 * unit, 235 * unit)
    frame = av.VideoFrame(COLUMNS * BLOCK, ROWS * BLOCK, pixel_format)
    luma = random.integers(low, high + 1, (ROWS, COLUMNS))
    chroma = [random.integers(100 * unit, 156 * unit, (ROWS, COLUMNS)) for _ in range(2)]
    planes = fill(frame, bits, [luma, *chroma])
    frame.colorspace, frame.color_range = MATRICES[matrix][2], span
    return frame, reference(planes, matrix, span, bits)


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("span", [LIMITED, FULL])
@pytest.mark.parametrize(
    ("pixel_format", "bits"),
    [
        ("yuv420p", 8),
        ("yuv422p", 8),
        ("yuv444p", 8),
        ("yuv411p", 8),
        ("yuv420p10le", 10),
        ("yuv422p10le", 10),
        ("yuv444p10le", 10),
        ("yuv420p12le", 12),
    ],
)
def test_colours_are_the_formulas(matrix, span, pixel_format, bits):
    frame, expected = colour_frame(pixel_format, matrix, span, bits)
    picture = PictureReader().read(frame, (frame.height, frame.width))
    error = inner(rgb_of(picture) - expected)
    assert np.abs(error).max() <= 1
    assert abs(error.mean()) <= 0.15


@pytest.mark.parametrize(("pixel_format", "bits"), [("gbrp", 8), ("gbrp10le", 10), ("gbrp12le", 12), ("gbrp16le", 16)])
def test_rgb_of_more_bits_is_rounded(pixel_format, bits):
    frame = av.VideoFrame(COLUMNS * BLOCK, ROWS * BLOCK, pixel_format)
    random = np.random.default_rng(0)
    green, blue, red = fill(frame, bits, list(random.integers(0, 1 << bits, (3, ROWS, COLUMNS))))
    expected = np.stack((red, green, blue), -1) * 255 / ((1 << bits) - 1)
    error = PictureReader().convert(frame) - expected
    assert np.abs(error).max() <= 0.51
    assert abs(error.mean()) <= 0.1


@pytest.mark.parametrize(("pixel_format", "bits"), [("gray", 8), ("gray10le", 10), ("gray16le", 16)])
@pytest.mark.parametrize("span", [0, LIMITED, FULL])
def test_grey_of_either_range(pixel_format, bits, span):
    frame = av.VideoFrame(COLUMNS * BLOCK, ROWS * BLOCK, pixel_format)
    unit, most = 1 << (bits - 8), (1 << bits) - 1
    low, high = (16 * unit, 235 * unit) if span == LIMITED else (0, most)
    blocks = np.linspace(low, high, ROWS * COLUMNS).astype(int).reshape(ROWS, COLUMNS)
    (grey,) = fill(frame, bits, [blocks])
    frame.color_range = span
    error = PictureReader().convert(frame) - ((grey - low) / (high - low) * 255)[..., None]
    assert np.abs(error).max() <= 1.7
