"""Planar pictures: the same colours, crops and drawings as on RGB, checked against swscale and the RGB path."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from vosctl.tracking.crop import FILL, Crop
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.video.colours import object_colour
from vosctl.video.overlay import draw_overlay, render_overlay
from vosctl.video.planar import Coding, PlanarPicture, Planes, planes_of, rgb_of
from vosctl.video.sources.picture import PictureReader

CODINGS = [Coding(matrix, full) for matrix in ("bt601", "bt709") for full in (False, True)]
H273_MATRIX = {"bt601": 6, "bt709": 1}


def smooth(height: int = 240, width: int = 320) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    channels = [125 + 90 * np.sin(x / 30 + k) * np.cos(y / 40 - k) for k in range(3)]
    return np.ascontiguousarray(np.stack(channels, -1).astype(np.uint8))


def coded(image: np.ndarray, coding: Coding, pixel_format: str = "yuv420p") -> av.VideoFrame:
    """What a decoder would give, made by swscale."""
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    matrix = H273_MATRIX[coding.matrix]
    frame = frame.reformat(
        format=pixel_format,
        src_colorspace=5 if coding.matrix == "bt601" else 1,
        dst_colorspace=5 if coding.matrix == "bt601" else 1,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG if coding.full_range else ColorRange.MPEG,
    )
    frame.colorspace, frame.color_range = matrix, 2 if coding.full_range else 1
    return frame


def planar(image: np.ndarray, coding: Coding) -> PlanarPicture:
    picture = PictureReader().read(coded(image, coding), image.shape[:2])
    assert isinstance(picture, PlanarPicture)
    return picture


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (90, 160, 30)])
def test_encoding_is_what_swscale_does_and_decoding_its_inverse(coding, colour):
    frame = coded(np.full((16, 16, 3), colour, np.uint8), coding)
    expected = [int(plane[0, 0]) for plane in planes_of(frame)]
    assert coding.encode(colour) == pytest.approx(expected, abs=1.1)
    numbers = np.rint(coding.encode(colour)).astype(np.uint8).reshape(1, 1, 3)
    assert np.abs(coding.decode(numbers)[0, 0].astype(int) - colour).max() <= 2


@pytest.mark.parametrize("coding", CODINGS)
def test_the_reader_gives_planes_that_show_the_picture(coding):
    image = smooth()
    picture = planar(image, coding)
    assert picture.coding == coding
    assert picture.shape == image.shape
    assert np.abs(rgb_of(picture).astype(int) - image).max() <= 6


@pytest.mark.parametrize("pixel_format", ["yuv444p", "yuv420p10le", "gray", "rgb24"])
def test_what_is_no_8_bit_420_is_read_as_rgb(pixel_format):
    image = smooth()
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixel_format)
    assert isinstance(PictureReader().read(frame, (240, 320)), np.ndarray)


def test_another_matrix_or_size_is_read_as_rgb():
    frame = coded(smooth(), CODINGS[0])
    assert isinstance(PictureReader().read(frame, (120, 160)), np.ndarray)
    frame.colorspace = 9  # BT.2020
    assert isinstance(PictureReader().read(frame, (240, 320)), np.ndarray)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(
    "crop",
    [
        Crop(40, 30, 128, 64),  # inside, shrunk by two
        Crop(-30, -16, 160, 96),  # over the border
        Crop(101, 61, 95, 128),  # enlarged, between the chroma planes' pixels
        Crop(-31, -17, 161, 96),
        Crop(0, 0, 512, 64),  # three halvings, beyond the picture
    ],
)
def test_a_crop_shows_the_same_as_on_rgb(coding, crop):
    image = smooth()
    difference = np.abs(crop.cut(planar(image, coding)).astype(int) - crop.cut(image))
    assert difference.mean() < 1.5
    assert np.percentile(difference, 99) <= 8


def test_chroma_does_not_move_against_luma_with_odd_edges():
    """A colour edge in the middle of the crop stays there, wherever the crop begins."""
    image = np.full((240, 320, 3), (200, 60, 60), np.uint8)
    image[:, 160:] = (60, 60, 200)
    picture = planar(image, CODINGS[0])
    for x in (100, 101, 102, 103):
        row = Crop(x, 40, 120, 120).cut(picture)[60].astype(float)
        edge = int(np.argmax(row[:, 2] > row[:, 0]))
        assert abs(edge - (160 - x)) <= 1


def test_a_crop_beyond_the_picture_is_the_mean():
    seen = Crop(1000, 0, 96, 32).cut(planar(smooth(), CODINGS[0]))
    assert np.abs(seen.astype(int) - FILL).max() <= 2


def scene(height: int = 240, width: int = 320) -> TrackedFrame:
    labels = np.zeros((height, width), np.uint8)
    y, x = np.mgrid[:height, :width]
    labels[(y - 110) ** 2 + (x - 141) ** 2 < 70**2] = 2
    labels[101:160, 151:211] = 5
    objects = (
        TrackedObject(2, "tracked", 1.0, 1, (71, 40, 141, 141)),
        TrackedObject(5, "tracked", 1.0, 1, (151, 101, 60, 59)),
        TrackedObject(7, "lost", 0.0, 0, None),
    )
    return TrackedFrame(labels, labels, objects)


def drawn_on_planes(picture: PlanarPicture, result: TrackedFrame) -> Planes:
    luma, cb, cr = (np.zeros_like(plane) for plane in picture.planes)
    canvas = luma, cb, cr
    picture.copy_limited(canvas)
    draw_overlay(canvas, Coding(picture.coding.matrix, full_range=False), result)
    return canvas


@pytest.mark.parametrize("coding", CODINGS)
def test_an_overlay_on_planes_looks_as_on_rgb(coding):
    image, result = smooth(), scene()
    picture = planar(image, coding)
    limited = Coding(coding.matrix, full_range=False)
    canvas = drawn_on_planes(picture, result)
    seen = limited.decode(np.dstack([canvas[0], *(plane.repeat(2, 0).repeat(2, 1) for plane in canvas[1:])]))
    expected = render_overlay(image, result)
    difference = np.abs(seen.astype(int) - expected).max(axis=2)
    # chroma of half the size blurs the outlines by a pixel
    assert np.median(difference) <= 3
    assert (difference > 24).mean() < 0.03
    inside = seen[130, 180].astype(int)
    assert np.abs(inside - (0.58 * image[130, 180] + 0.42 * np.array(object_colour(5)))).max() <= 8


def test_what_is_not_the_objects_keeps_its_exact_numbers():
    picture, result = planar(smooth(), CODINGS[2]), scene()
    before = [plane.copy() for plane in picture.planes]
    canvas = drawn_on_planes(picture, result)
    far = np.ones((240, 320), bool)
    far[36:186, 66:218] = False
    for plane, drawn in zip(picture.planes, canvas, strict=True):
        step = 240 // len(plane)
        assert (plane == drawn)[far[::step, ::step]].all()
        assert (plane != drawn).any()
    assert all((plane == old).all() for plane, old in zip(picture.planes, before, strict=True))
