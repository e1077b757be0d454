"""From the decoder's picture to an upright one: rotation, the shape of pixels, formats and colour matrices."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from vosctl.tracking.crop import Crop
from vosctl.video.sources import open_source


def flat(value, size=(32, 48)):
    return np.full((*size, 3), value, np.uint8)


def read(path):
    with open_source(str(path)) as source:
        return source.info, list(source), source.warnings


# The matrices of a tkhd box as cameras write them, and what they do to the stored picture.
QUARTERS = {
    "upright": ((1, 0, 0, 1), lambda image: image),
    "clockwise": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "half": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "counter-clockwise": ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
    "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda image: image[::-1]),
    "transposed": ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
    "transposed the other way": ((0, -1, -1, 0), lambda image: image[::-1, ::-1].transpose(1, 0, 2)),
}


def set_display_matrix(path, matrix):
    """Write the upper left 2x2 of an mp4's track matrix."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4
    assert data[start] == 0  # version
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", data, start + 40, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize("case", QUARTERS)
def test_rotation_metadata_is_applied_once(make_video, case):
    matrix, turn = QUARTERS[case]
    stored = flat(0, (32, 64))
    stored[:16, :32], stored[:16, 32:], stored[16:, :32] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    path = make_video("turned.mp4", [stored, stored])
    set_display_matrix(path, matrix)

    info, frames, _ = read(path)

    expected = turn(stored)
    assert (info.height, info.width) == expected.shape[:2]
    for frame in frames:
        assert frame.image.shape == expected.shape
        assert np.abs(frame.image.astype(int) - expected).mean() < 5  # chroma is mixed at the edges
        assert frame.image.flags["C_CONTIGUOUS"]
        crop = Crop(0, 0, max(expected.shape), 64)
        assert np.abs(crop.cut(frame.picture).astype(int) - crop.cut(expected)).mean() < 5


@pytest.mark.parametrize(("case", "aspect"), [("upright", Fraction(16, 11)), ("clockwise", Fraction(11, 16))])
def test_the_shape_of_a_pixel_is_turned_with_the_picture(make_video, case, aspect):
    path = make_video("wide.mp4", [flat(0, (32, 64))], pixel_aspect=Fraction(16, 11))
    set_display_matrix(path, QUARTERS[case][0])
    assert read(path)[0].pixel_aspect == aspect


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [
        ("ffv1", "yuv420p10le"),
        ("ffv1", "yuv444p"),
        ("ffv1", "yuv422p"),
        ("ffv1", "bgra"),
        ("ffv1", "gbrp16le"),
        ("ffv1", "yuva420p"),
        ("mjpeg", "yuvj420p"),
    ],
)
def test_every_pixel_format_comes_out_as_rgb(make_video, codec, pix_fmt):
    colour = (200, 100, 50)
    _, frames, _ = read(make_video("pixels.mkv", [flat(colour)], codec=codec, pix_fmt=pix_fmt))
    assert np.abs(frames[0].image.astype(int) - colour).max() <= 6


@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le"])
def test_grey_video(make_video, pix_fmt):
    _, frames, _ = read(make_video("grey.mkv", [flat(0), flat(128), flat(255)], codec="ffv1", pix_fmt=pix_fmt))
    assert [int(frame.image[0, 0, 1]) for frame in frames] == pytest.approx([0, 128, 255], abs=3)


# Luma weights of red and blue.
MATRICES = {"601": (0.299, 0.114), "709": (0.2126, 0.0722), "2020": (0.2627, 0.0593)}
UNSPECIFIED, BT709, BT470BG, SMPTE170M, BT2020 = 2, 1, 5, 6, 9
LIMITED, FULL = 1, 2


def encode_yuv(path, colour, *, size, matrix, tag, span):
    """A lossless one-frame video of one colour, its YUV values computed here and not by swscale."""
    red_weight, blue_weight = MATRICES[matrix]
    red, green, blue = np.array(colour) / 255
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    chroma = np.array([(blue - luma) / (1 - blue_weight), (red - luma) / (1 - red_weight)]) / 2
    values = [16 + 219 * luma, *(128 + 224 * chroma)] if span == LIMITED else [255 * luma, *(128 + 255 * chroma)]
    height, width = size
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, value in zip(frame.planes, values, strict=True):
        plane.update(bytes([round(value)]) * plane.buffer_size)
    frame.colorspace, frame.color_range = tag, span
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = tag, span
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("size", "matrix", "tag", "span"),
    [
        ((32, 48), "601", SMPTE170M, LIMITED),
        ((32, 48), "601", BT470BG, LIMITED),
        ((32, 48), "601", BT470BG, FULL),
        ((32, 48), "709", BT709, LIMITED),
        ((32, 48), "709", BT709, FULL),
        ((32, 48), "2020", BT2020, LIMITED),
        ((32, 48), "601", UNSPECIFIED, LIMITED),
        ((32, 1280), "709", UNSPECIFIED, LIMITED),
        ((720, 32), "709", UNSPECIFIED, LIMITED),
        ((576, 32), "601", UNSPECIFIED, LIMITED),
    ],
)
def test_the_pictures_own_colour_matrix_is_used(tmp_path, size, matrix, tag, span):
    path = tmp_path / "colour.mkv"
    for colour in [(230, 20, 20), (20, 230, 20), (20, 20, 230)]:
        encode_yuv(path, colour, size=size, matrix=matrix, tag=tag, span=span)
        _, frames, _ = read(path)
        assert np.abs(frames[0].image[0, 0].astype(int) - colour).max() <= 3
