"""First masks in every form a user may draw them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image, ImageColor, ImageDraw, ImageOps

from vosctl.errors import UsageError, VosctlError
from vosctl.prompts.mask_file import read_first_mask
from vosctl.video.masks import davis_palette

SIZE = (60, 80)  # height, width


def regions(values, size=SIZE):
    """Background `values[0]`, then a 12 pixel wide upright bar of each other value."""
    array = np.full(size, values[0], np.int64)
    for number, value in enumerate(values[1:]):
        left = 4 + 16 * number
        array[10:40, left : left + 12] = value
    return array


def indexed(array, palette=None):
    image = Image.fromarray(array.astype(np.uint8))
    image.putpalette((davis_palette() if palette is None else np.array(palette, np.uint8)).tobytes())
    return image


def painted(array, colours):
    """Each number in `array` painted with its colour."""
    return Image.fromarray(np.array(colours, np.uint8)[array])


@pytest.fixture
def read(tmp_path):
    """Returns a function that saves an image and reads it as a mask; its notes without the file's name."""

    def save_and_read(image, *, fix=False, size=SIZE, name="mask.png", **options):
        path = tmp_path / name
        image.save(path, **options)
        mask = read_first_mask(path, size, fix=fix)
        assert all(note.startswith(f"{path}: ") for note in mask.notes)
        return replace(mask, notes=[note.removeprefix(f"{path}: ") for note in mask.notes])

    return save_and_read


def assert_labels(mask, expected):
    assert mask.labels.dtype == np.uint8
    np.testing.assert_array_equal(mask.labels, expected)


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ((0, 1), None),
        ((0, 255), None),
        ((0, 100), "value 100 beside black is read as object 1"),
        ((17, 200), "no black: the darker value, 17, is read as background and 200 as object 1"),
        ((254, 255), "no black: the darker value, 254, is read as background and 255 as object 1"),
    ],
)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_two_values_are_background_and_object_one(read, values, note, mode):
    image = Image.fromarray(regions(values).astype(np.uint8)).convert(mode)
    mask = read(image)
    assert_labels(mask, regions((0, 1)))
    assert mask.notes == ([note] if note else [])


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_one_small_grey_id_is_kept(read, mode):
    mask = read(Image.fromarray(regions((0, 5)).astype(np.uint8)).convert(mode))
    assert_labels(mask, regions((0, 5)))
    assert mask.notes == []


def test_the_brighter_value_is_the_object_and_said_where_it_looks_like_the_background(read):
    mask = read(Image.fromarray(regions((255, 0)).astype(np.uint8)))
    assert_labels(mask, 1 - regions((0, 1)))
    assert mask.notes == [
        "the object is the bright part, which fills the border; if it is the background, invert the mask"
    ]


def test_a_black_and_white_image(read):
    assert_labels(read(Image.fromarray(regions((0, 255)).astype(np.uint8)).convert("1")), regions((0, 1)))


@pytest.mark.parametrize(
    ("values", "labels", "notes"),
    [
        (
            (0, 2001, 2002, 10001),
            (0, 1, 2, 3),
            ["ids above 255, renumbered: 2001 is now 1, 2002 is now 2, 10001 is now 3"],
        ),
        (
            (0, 2002, 10000, 2001),
            (0, 2, 0, 1),
            [
                "value 10000 beside ids of four digits is KITTI MOTS's void: read as background",
                "ids above 255, renumbered: 2001 is now 1, 2002 is now 2",
            ],
        ),
        ((0, 2, 300), (0, 1, 2), ["ids above 255, renumbered: 2 is now 1, 300 is now 2"]),
        ((0, 2, 65535), (0, 2, 0), ["value 65535 beside the ids 2 means void: read as background"]),
        ((0, 2001), (0, 1), ["value 2001 beside black is read as object 1"]),
    ],
)
def test_ids_of_sixteen_bits_are_never_merged(read, values, labels, notes):
    mask = read(Image.fromarray(regions(values).astype(np.uint16)))
    assert_labels(mask, regions(labels))
    assert mask.notes == notes


def test_a_soft_mask_of_sixteen_bits(read):
    soft, _ = circles(["white"])
    mask = read(Image.fromarray(np.asarray(soft).astype(np.uint16) * 257))
    assert_labels(mask, np.asarray(soft) > 127)


@pytest.mark.parametrize(
    ("values", "labels"), [((0.0, 1.0), (0, 1)), ((0.0, 3.0, 7.0), (0, 3, 7)), ((0.0, 0.5), (0, 1))]
)
def test_floating_point_numbers(read, values, labels):
    image = Image.fromarray(np.array(values, np.float32)[regions(range(len(values)))])
    assert_labels(read(image, name="mask.tif"), regions(labels))


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.1 + 1e6, -2.5])
def test_floating_point_numbers_that_are_no_mask(read, value):
    with pytest.raises(UsageError, match=r"mask\.tif: "):
        read(Image.fromarray(np.array([0, value], np.float32)[regions((0, 1))]), name="mask.tif")


def test_negative_ids(read):
    with pytest.raises(UsageError, match="holds negative values"):
        read(Image.fromarray(regions((0, -1)).astype(np.int32)), name="mask.tif")


def test_sixteen_bits(read):
    assert_labels(read(Image.fromarray(regions((0, 65535)).astype(np.uint16))), regions((0, 1)))
    assert_labels(read(Image.fromarray(regions((0, 3, 9)).astype(np.uint16))), regions((0, 3, 9)))


@pytest.mark.parametrize("values", [(0, 1), (0, 5), (0, 1, 2, 3), (0, 7, 200, 31)])
def test_the_ids_of_an_indexed_image_are_kept(read, values):
    mask = read(indexed(regions(values)))
    assert_labels(mask, regions(values))
    assert mask.notes == []


def test_an_indexed_black_and_white_image(read):
    assert_labels(read(indexed(regions((0, 255)))), regions((0, 1)))


def test_the_palette_order_of_a_drawing_program(read):
    palette = [(255, 255, 255), (255, 0, 0), (0, 0, 0)]
    assert_labels(read(indexed(regions((2, 0, 1)), palette)), regions((0, 1, 2)))


@pytest.mark.parametrize("values", [(0, 1, 2), (0, 2, 30, 4), (0, 100, 200)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_ids_of_a_grey_image_are_kept(read, values, mode):
    assert_labels(read(Image.fromarray(regions(values).astype(np.uint8)).convert(mode)), regions(values))


def test_a_small_object_among_small_ids_is_kept(read):
    array = regions((0, 1, 3))
    array[50, 50] = 2
    assert_labels(read(Image.fromarray(array.astype(np.uint8))), array)


@pytest.mark.parametrize("make", [indexed, lambda array: Image.fromarray(array.astype(np.uint8))])
def test_void_is_background_and_said(read, make):
    mask = read(make(regions((0, 1, 255, 2))))
    assert_labels(mask, regions((0, 1, 0, 2)))
    assert mask.notes == ["value 255 beside the ids 1, 2 means void: read as background"]


def test_white_beside_other_brightnesses_is_an_object(read):
    mask = read(Image.fromarray(regions((0, 100, 255)).astype(np.uint8)))
    assert_labels(mask, regions((0, 100, 255)))
    assert mask.notes == []


def test_each_colour_is_an_object_numbered_as_it_appears(read):
    array = regions((0, 1, 2, 3))
    array[5:8, 60:70] = 3  # the third colour is the first one met
    mask = read(painted(array, [(0, 0, 0), (255, 0, 0), (0, 255, 0), (10, 10, 200)]))
    expected = np.array([0, 2, 3, 1])[array]
    assert_labels(mask, expected)
    assert mask.notes == []


@pytest.mark.parametrize(
    ("background", "paint"),
    [("#143cc8", "#ffff00"), ("#ffffff", "#ff0000"), ("#ffffff", "#000080"), ("#440154", "#fde725")],
)
def test_two_colours_without_black(read, background, paint):
    mask = read(painted(regions((0, 1)), [ImageColor.getrgb(background), ImageColor.getrgb(paint)]))
    assert_labels(mask, regions((0, 1)))
    assert mask.notes == [f"no black: {background}, which fills the border, is read as background"]


CLEAR = (200, 210, 220)
"""The colour that a transparent index has in the palette, which nobody sees."""


@pytest.mark.parametrize(
    ("palette", "clear", "order"),
    [
        ([(255, 0, 0), CLEAR], 1, (1, 0)),  # a drawing program puts the background, which is transparent, last
        ([(0, 0, 0), CLEAR], 1, (1, 0)),  # a black object on nothing
        ([CLEAR, (255, 0, 0)], 0, (0, 1)),
        ([CLEAR, (255, 0, 0), (0, 0, 255)], b"\x00\xff\xff", (0, 1, 2)),
        ([(0, 0, 0), (255, 0, 0), CLEAR, (0, 0, 255)], 2, (0, 1, 0, 3)),  # ids stay what they are
        (davis_palette()[:3], 2, (0, 1, 0)),
    ],
)
@pytest.mark.parametrize("wide", [False, True])
def test_what_is_transparent_in_an_indexed_picture_is_background(read, palette, clear, order, wide):
    """Wherever it is: also where the object, and not the background, fills most of the border."""
    array = np.full(SIZE, order.index(0), np.int64)
    others = [index for index in range(len(palette)) if index != order.index(0)]
    for number, index in enumerate(others):
        left = 4 + 24 * number
        array[: 40 if wide else 30, left : left + 20] = index
    mask = read(indexed(array, palette), transparency=clear)
    assert_labels(mask, np.array(order)[array])


def test_two_colours_of_which_none_is_all_around(read):
    array = np.zeros(SIZE, np.int64)
    array[:, 40:] = 1
    mask = read(painted(array, [(0, 0, 200), (255, 0, 0)]))
    assert_labels(mask, array)
    assert mask.notes == ["no black: the darker colour, #0000c8, is read as background"]


@pytest.mark.parametrize("background", ["#010101", "#0c0a10", "#ffffff", "#f0f0f0", "#440154"])
@pytest.mark.parametrize("fix", [False, True])
def test_several_colours_on_a_background_that_is_not_black(read, background, fix):
    array = regions((0, 1, 2, 3))
    mask = read(painted(array, [ImageColor.getrgb(background), (255, 0, 0), (255, 255, 0), (0, 0, 255)]), fix=fix)
    assert_labels(mask, array)
    assert mask.notes == [f"no black: {background}, which fills the border, is read as background"]


def test_a_nearly_black_background_beside_objects_at_the_border(read):
    array = np.zeros(SIZE, np.int64)
    array[:, 20:50] = 1
    array[:, 50:] = 2
    mask = read(painted(array, [(1, 1, 1), (255, 0, 0), (0, 0, 255)]))
    assert_labels(mask, array)
    assert mask.notes == ["no black: #010101, the darkest, is read as background"]


def test_an_object_that_fills_the_border_is_said(read):
    mask = read(painted(regions((1, 0, 2)), [(0, 0, 0), (255, 255, 255), (255, 0, 0)]))
    assert_labels(mask, regions((1, 0, 2)))
    assert mask.notes == [
        "object 1, #ffffff, fills the border; if it is the background, paint that black and nothing else"
    ]


def test_the_void_colour_of_voc_is_background(read):
    array = regions((0, 1, 2, 3))
    mask = read(painted(array, [(0, 0, 0), (128, 0, 0), (224, 224, 192), (0, 128, 0)]))
    assert_labels(mask, regions((0, 1, 0, 2)))
    assert mask.notes == ["the colour #e0e0c0 is VOC's void: read as background"]


def test_the_void_colour_alone_is_an_object(read):
    assert_labels(read(painted(regions((0, 1)), [(0, 0, 0), (224, 224, 192)])), regions((0, 1)))


def test_a_small_painted_object_is_kept(read):
    array = regions((0, 1))
    array[50:52, 50:52] = 2
    mask = read(painted(array, [(0, 0, 0), (255, 0, 0), (0, 200, 90)]))
    assert_labels(mask, array)


def test_more_than_two_colours_without_background(read):
    array = regions((0, 1, 2))
    array[:, 70:] = 2
    image = painted(array, [(0, 200, 0), (255, 0, 0), (0, 0, 255)])
    with pytest.raises(UsageError, match="no pixel of the mask is black; leave everything but the objects black"):
        read(image)


def test_what_is_transparent_is_background(read):
    array = regions((0, 1, 2))
    image = painted(array, [(90, 90, 90, 0), (255, 0, 0, 255), (0, 255, 0, 255)])
    assert_labels(read(image), array)


def test_a_black_object_on_nothing(read):
    assert_labels(read(painted(regions((0, 1)), [(0, 0, 0, 0), (0, 0, 0, 255)])), regions((0, 1)))


def test_a_cutout_is_the_mask_of_itself(read):
    rgba = np.random.default_rng(0).integers(1, 256, (*SIZE, 4), dtype=np.uint8)
    rgba[..., 3] = regions((0, 255))
    assert_labels(read(Image.fromarray(rgba)), regions((0, 1)))


def circles(fills, scale=8, size=SIZE, colour=False):
    """Circles with anti-aliased edges, and the same with hard ones (numbered from 1)."""
    height, width = size
    large = Image.new("RGB", (width * scale, height * scale))
    draw = ImageDraw.Draw(large)
    hard = np.zeros(size, np.uint8)
    for number, fill in enumerate(fills):
        x, y, radius = 18 + 22 * number, 30 + 4 * number, 10.3
        draw.ellipse([(v * scale) for v in (x - radius, y - radius, x + radius, y + radius)], fill=fill)
        rows, columns = np.ogrid[:height, :width]
        hard[(columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= radius**2] = number + 1
    soft = large.resize((width, height), Image.Resampling.BOX)
    return (soft if colour else soft.convert("L")), hard


def obvious(kind):
    """A mask with soft edges and its labels with hard ones."""
    soft, hard = circles(["red" if kind == "red" else "white"], colour=kind == "red")
    if kind == "inverted":
        return ImageOps.invert(soft), 1 - hard
    if kind == "grey paint":
        return soft.point(lambda value: value * 180 // 255), hard
    if kind == "red on white":
        return Image.composite(Image.new("RGB", soft.size, "red"), Image.new("RGB", soft.size, "white"), soft), hard
    if kind == "soft transparency":
        image = Image.new("RGBA", soft.size, "#ffe080")
        image.putalpha(soft)
        return image, hard
    return soft, hard


@pytest.mark.parametrize("kind", ["white", "red", "grey paint", "red on white", "soft transparency", "inverted"])
@pytest.mark.parametrize("fix", [False, True])
def test_a_soft_edge_with_an_obvious_cut_is_taken_and_said(read, kind, fix):
    image, hard = obvious(kind)
    mask = read(image, fix=fix)
    assert set(np.unique(mask.labels)) == {0, 1}
    assert (mask.labels != hard).mean() < 0.01
    assert any("soft edges" in note for note in mask.notes)


@pytest.mark.parametrize("fill", ["white", "red"])
def test_a_tiny_object_with_a_soft_edge(read, fill):
    size = (480, 854)
    large = Image.new("RGB", (854 * 4, 480 * 4))
    ImageDraw.Draw(large).ellipse([4 * 400, 4 * 200, 4 * 410, 4 * 210], fill=fill)
    mask = read(large.resize(size[::-1], Image.Resampling.BOX), size=size)
    assert set(np.unique(mask.labels)) == {0, 1}
    assert 60 < np.count_nonzero(mask.labels) < 100


def test_a_soft_edge_is_cut_at_half(read):
    soft, _ = circles(["white"])
    assert_labels(read(soft), np.asarray(soft) > 127)


@pytest.mark.parametrize("quantised", ["palette of its greys", "palette of a web browser", "of its colours"])
def test_an_anti_aliased_disc_saved_with_a_palette_is_one_object(read, quantised):
    soft, hard = circles(["red" if quantised == "of its colours" else "white"], colour=True)
    if quantised == "palette of a web browser":
        image = soft.convert("P", palette=Image.Palette.WEB, dither=Image.Dither.NONE)
    else:
        image = soft.quantize(8, dither=Image.Dither.NONE)
    assert len(np.unique(np.array(image))) > 2
    mask = read(image)
    assert set(np.unique(mask.labels)) == {0, 1}
    assert (mask.labels != hard).mean() < 0.02
    assert any("soft edges" in note for note in mask.notes)


def test_ids_with_the_palette_of_davis_are_never_blends(read):
    array = regions((0, 1))
    array[10:40, 16:18] = 8  # (64, 0, 0), half of (128, 0, 0), along the edge of object 1
    mask = read(indexed(array))
    assert_labels(mask, array)
    assert mask.notes == []


def test_a_wide_soft_edge_is_refused(read):
    blurred = cv2.GaussianBlur(regions((0, 255)).astype(np.uint8), (0, 0), 4)
    with pytest.raises(
        UsageError,
        match=r"mask\.png: the mask has soft edges \(\d+ different values\); save it without .* `fix_mask=True`",
    ):
        read(Image.fromarray(blurred))


def test_thin_and_tiny_objects_are_read_as_they_are(read):
    array = np.zeros(SIZE, np.uint8)
    cv2.circle(array, (30, 30), 15, 200, -1)
    cv2.line(array, (0, 4), (79, 50), 100, 2)
    array[50, 70], array[55:57, 10] = 150, 40
    mask = read(Image.fromarray(array))
    assert_labels(mask, array)
    assert mask.notes == []


def test_many_tiny_objects(read):
    array = np.zeros(SIZE, np.uint8)
    for number in range(1, 101):
        row, column = divmod(number - 1, 10)
        array[6 * row + 2 : 6 * row + 4, 8 * column + 2 : 8 * column + 4] = number
    assert_labels(read(Image.fromarray(array)), array)


def test_neighbouring_numbers_in_a_channel_are_objects(read):
    array = regions((0, 1, 2, 3))
    mask = read(painted(array, [(0, 0, 0), (40, 3, 0), (41, 3, 0), (42, 3, 0)]))
    assert_labels(mask, array)


def test_what_a_repair_drops_is_named(read):
    soft, _ = circles([(100,) * 3, (200,) * 3])
    array = np.array(soft)
    array[5, 60:75] = 150
    mask = read(Image.fromarray(array), fix=True)
    assert mask.notes[-1] == "too thin beside soft edges, given to what lies around it: value 150 (15 pixels)"


@pytest.mark.parametrize("fills", [["red", "lime"], ["red", (128, 0, 0), "white"]])
def test_painted_objects_with_soft_edges(read, fills):
    soft, hard = circles(fills, colour=True)
    with pytest.raises(UsageError, match="soft edges"):
        read(soft)
    mask = read(soft, fix=True)
    assert set(np.unique(mask.labels)) == set(range(len(fills) + 1))
    assert (mask.labels != hard).mean() < 0.01  # half-covered pixels only


def test_the_grey_levels_of_several_soft_objects_are_kept(read):
    soft, hard = circles([(100,) * 3, (200,) * 3])
    mask = read(soft, fix=True)
    assert sorted(np.unique(mask.labels)) == [0, 100, 200]
    assert (mask.labels != np.array([0, 100, 200])[hard]).mean() < 0.02


@pytest.mark.parametrize("quality", [50, 75, 95])
def test_a_jpeg_of_black_and_white_is_taken(read, quality):
    mask = read(Image.fromarray(regions((0, 255)).astype(np.uint8)), name="mask.jpg", quality=quality)
    assert_labels(mask, regions((0, 1)))
    assert any("soft edges" in note for note in mask.notes)


@pytest.mark.parametrize("values", [(0, 1), (0, 1, 2, 3), (0, 10, 20, 30)])
@pytest.mark.parametrize("fix", [False, True])
def test_ids_do_not_survive_a_jpeg(read, values, fix):
    with pytest.raises(UsageError, match="a JPEG does not keep object ids as they are; save the mask as PNG"):
        read(Image.fromarray(regions(values).astype(np.uint8)), name="mask.jpg", quality=95, fix=fix)


def test_a_blurred_mask_is_thresholded_at_half(read):
    blurred = cv2.GaussianBlur(regions((0, 255)).astype(np.uint8), (0, 0), 4)
    mask = read(Image.fromarray(blurred), fix=True)
    assert mask.labels.any()
    assert (mask.labels != regions((0, 1))).mean() < 0.05


def test_two_nearly_equal_whites_are_one_with_noise(read):
    array = regions((0, 255))
    array[10:25, 4:16] = 250
    mask = read(Image.fromarray(array.astype(np.uint8)))
    assert_labels(mask, regions((0, 1)))
    assert mask.notes == ["soft edges (3 different values): each pixel went to the nearer side"]


@pytest.mark.parametrize("fix", [False, True])
def test_a_photograph_is_no_mask(read, fix):
    random = np.random.default_rng(0)
    photo = cv2.GaussianBlur(random.integers(0, 256, (*SIZE, 3), dtype=np.uint8), (0, 0), 3)
    with pytest.raises(UsageError, match="cannot be fixed" if fix else "soft edges"):
        read(Image.fromarray(photo), fix=fix)


def test_another_size_is_refused(read):
    with pytest.raises(UsageError) as caught:
        read(indexed(regions((0, 1, 4))), size=(120, 160))
    assert str(caught.value).endswith(
        "mask.png: the mask is 80x60 but the frames are 160x120; "
        "draw it at that size, or use `fix_mask=True` to have it resized"
    )
    assert caught.value.exit_code == 2


def test_another_size_is_resized_when_asked(read):
    array = regions((0, 1, 4))
    mask = read(indexed(array), size=(120, 160), fix=True)
    assert_labels(mask, array.repeat(2, axis=0).repeat(2, axis=1))
    assert mask.notes == ["resized from 80x60 to 160x120"]


def test_a_soft_mask_of_another_size(read):
    soft, _ = circles(["white"])
    mask = read(soft, size=(30, 40), fix=True)
    assert set(np.unique(mask.labels)) == {0, 1}
    assert len(mask.notes) == 2


def test_an_object_lost_in_resizing_is_said(read):
    array = regions((0, 1))
    array[51, 51] = 2
    mask = read(indexed(array), size=(15, 20), fix=True)
    assert mask.notes[-1] == "too small to be seen at that size: object 2"


def test_another_shape_cannot_be_fixed(read):
    with pytest.raises(
        UsageError, match="the mask is 80x60 but the frames are 60x80, another shape; draw it on the first"
    ):
        read(indexed(regions((0, 1))), size=(80, 60), fix=True)


@pytest.mark.parametrize("fix", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "RGBA"])
def test_an_empty_mask(read, fix, mode):
    with pytest.raises(UsageError, match=r"the mask is empty; paint the object on it"):
        read(Image.new(mode, SIZE[::-1]), fix=fix)


@pytest.mark.parametrize("image", [Image.new("L", SIZE[::-1], 255), Image.new("RGB", SIZE[::-1], "red")])
def test_a_mask_without_background(read, image):
    with pytest.raises(UsageError, match="the mask has no background; leave everything but the objects black"):
        read(image)


def test_too_many_objects(read):
    numbers = np.arange(300)
    colours = np.stack([numbers % 7 * 40, numbers // 7 % 7 * 40, numbers // 49 * 30], axis=1)
    array = numbers.reshape(15, 20).repeat(4, axis=0).repeat(4, axis=1)
    with pytest.raises(UsageError, match="holds 299 colours; 255 objects are the most"):
        read(painted(array, colours))


def test_too_many_ids(read):
    array = (np.arange(300) * 7).reshape(15, 20).repeat(4, axis=0).repeat(4, axis=1)
    with pytest.raises(UsageError, match="holds 299 object ids; 255 objects are the most"):
        read(Image.fromarray(array.astype(np.uint16)))


def test_a_missing_mask(tmp_path):
    with pytest.raises(UsageError, match=r"mask\.png: no such mask"):
        read_first_mask(tmp_path / "mask.png", SIZE)


def test_what_is_no_image(tmp_path):
    (tmp_path / "mask.png").write_text("no image")
    with pytest.raises(UsageError, match=r"mask\.png: the mask is not an image; give a PNG") as caught:
        read_first_mask(tmp_path / "mask.png", SIZE)
    assert "\n" not in str(caught.value)


def test_a_cut_off_mask(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, SIZE, dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(VosctlError, match=r"mask\.png: the mask cannot be read: ") as caught:
        read_first_mask(path, SIZE)
    assert caught.value.exit_code == 1


def test_the_size_is_refused_before_anything_is_decoded(tmp_path):
    path = tmp_path / "mask.png"
    Image.new("RGB", (3000, 3000)).save(path)
    path.write_bytes(path.read_bytes()[:60])  # the header alone
    with pytest.raises(UsageError, match="the mask is 3000x3000 but the frames are 80x60, another shape"):
        read_first_mask(path, SIZE)


def test_far_too_many_pixels(tmp_path):
    path = tmp_path / "mask.png"
    header = struct.pack(">IIBBBBB", 40_000, 30_000, 1, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)))
    with pytest.raises(UsageError, match=r"mask\.png: the mask (has|is) "):
        read_first_mask(path, SIZE, fix=True)


@pytest.mark.parametrize("name", ["mask.jpg", "mask.png"])
def test_a_mask_that_is_turned_by_its_metadata(read, name):
    array = regions((0, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    stored = Image.fromarray(np.rot90(array).astype(np.uint8))
    assert_labels(read(stored, name=name, exif=exif), regions((0, 1)))


def test_the_first_of_several_pictures_is_read(read):
    pages = [indexed(regions((0, 1))), indexed(regions((0, 1, 2)))]
    mask = read(pages[0], name="mask.tif", save_all=True, append_images=pages[1:])
    assert_labels(mask, regions((0, 1)))
    assert mask.notes == ["holds 2 pictures; the first one is read"]


def test_a_folder_is_no_mask(tmp_path):
    with pytest.raises(UsageError, match="is a folder; name the mask's file"):
        read_first_mask(tmp_path, SIZE)


class TestSeveralFiles:
    """One object a file, as annotation tools export them."""

    @pytest.fixture
    def save(self, tmp_path):
        def save_one(name, array):
            path = tmp_path / name
            Image.fromarray(array.astype(np.uint8)).save(path)
            return path

        return save_one

    def test_each_is_an_object_in_their_order(self, save):
        paths = [save("b.png", regions((0, 255))), save("a.png", regions((0, 0, 5)))]
        mask = read_first_mask(paths, SIZE)
        assert_labels(mask, regions((0, 1, 2)))
        assert mask.notes == []

    def test_a_later_one_lies_on_top_and_it_is_said(self, save):
        array = regions((0, 255))
        other = np.zeros(SIZE)
        other[30:50, 4:16] = 255
        first, second = save("a.png", array), save("b.png", other)
        mask = read_first_mask([first, second], SIZE)
        assert_labels(mask, np.where(other > 0, 2, array > 0))
        assert mask.notes == [f"{first}: object 1: 120 of its 360 pixels belong to later objects too"]

    def test_one_that_is_covered(self, save):
        with pytest.raises(
            UsageError, match=r"a\.png: its object is completely covered by those of the files after it"
        ):
            read_first_mask([save("a.png", regions((0, 255))), save("b.png", regions((0, 255, 255)))], SIZE)

    def test_several_objects_in_one_of_them(self, save):
        with pytest.raises(UsageError, match=r"b\.png: holds 2 objects; each of several mask files is one object"):
            read_first_mask([save("a.png", regions((0, 255))), save("b.png", regions((0, 0, 1, 2)))], SIZE)

    def test_one_that_is_empty(self, save):
        with pytest.raises(UsageError, match=r"b\.png: the mask is empty"):
            read_first_mask([save("a.png", regions((0, 255))), save("b.png", np.zeros(SIZE))], SIZE)

    def test_objects_everywhere(self, save):
        left = np.zeros(SIZE)
        left[:, :40] = 255
        with pytest.raises(UsageError, match="the mask has no background"):
            read_first_mask([save("a.png", left), save("b.png", 255 - left)], SIZE)

    def test_one_file_in_a_list_keeps_its_ids(self, save):
        assert_labels(read_first_mask([save("a.png", regions((0, 4, 9)))], SIZE), regions((0, 4, 9)))

    def test_none(self):
        with pytest.raises(UsageError, match="names no file"):
            read_first_mask([], SIZE)
