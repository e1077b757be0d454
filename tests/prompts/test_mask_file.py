"""First masks in every form a user may draw them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

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
    def save_and_read(image, *, fix=False, size=SIZE, name="mask.png", **options):
        image.save(tmp_path / name, **options)
        return read_first_mask(tmp_path / name, size, fix=fix)

    return save_and_read


def assert_labels(mask, expected):
    assert mask.labels.dtype == np.uint8
    np.testing.assert_array_equal(mask.labels, expected)


@pytest.mark.parametrize("values", [(0, 1), (0, 255), (0, 3), (17, 200), (254, 255)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_two_values_are_background_and_object_one(read, values, mode):
    image = Image.fromarray(regions(values).astype(np.uint8)).convert(mode)
    mask = read(image)
    assert_labels(mask, regions((0, 1)))
    assert mask.repairs == []


def test_the_brighter_value_is_the_object(read):
    assert_labels(read(Image.fromarray(regions((255, 0)).astype(np.uint8))), 1 - regions((0, 1)))


def test_a_black_and_white_image(read):
    assert_labels(read(Image.fromarray(regions((0, 255)).astype(np.uint8)).convert("1")), regions((0, 1)))


def test_sixteen_bits(read):
    assert_labels(read(Image.fromarray(regions((0, 65535)).astype(np.uint16))), regions((0, 1)))
    assert_labels(read(Image.fromarray(regions((0, 3, 9)).astype(np.uint16))), regions((0, 3, 9)))


@pytest.mark.parametrize("values", [(0, 1), (0, 5), (0, 1, 2, 3), (0, 7, 200, 31)])
def test_the_ids_of_an_indexed_image_are_kept(read, values):
    mask = read(indexed(regions(values)))
    assert_labels(mask, regions(values))
    assert mask.repairs == []


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
    assert mask.repairs == ["value 255 beside the ids 1, 2 means void: read as background"]


def test_white_beside_other_brightnesses_is_an_object(read):
    mask = read(Image.fromarray(regions((0, 100, 255)).astype(np.uint8)))
    assert_labels(mask, regions((0, 100, 255)))
    assert mask.repairs == []


def test_each_colour_is_an_object_numbered_as_it_appears(read):
    array = regions((0, 1, 2, 3))
    array[5:8, 60:70] = 3  # the third colour is the first one met
    mask = read(painted(array, [(0, 0, 0), (255, 0, 0), (0, 255, 0), (10, 10, 200)]))
    expected = np.array([0, 2, 3, 1])[array]
    assert_labels(mask, expected)
    assert mask.repairs == []


def test_two_colours_without_black(read):
    assert_labels(read(painted(regions((0, 1)), [(20, 60, 200), (255, 255, 0)])), regions((0, 1)))


def test_a_small_painted_object_is_kept(read):
    array = regions((0, 1))
    array[50:52, 50:52] = 2
    mask = read(painted(array, [(0, 0, 0), (255, 0, 0), (0, 200, 90)]))
    assert_labels(mask, array)


def test_more_than_two_colours_without_black(read):
    image = painted(regions((0, 1, 2)), [(255, 255, 255), (255, 0, 0), (0, 0, 255)])
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


def test_a_soft_edge_is_refused(read):
    soft, _ = circles(["white"])
    with pytest.raises(
        UsageError, match=r"mask\.png: the mask has soft edges \(\d+ different values\); save it without"
    ):
        read(soft)


def test_a_soft_edge_is_thresholded_at_half_when_asked(read):
    soft, _ = circles(["white"])
    mask = read(soft, fix=True)
    assert_labels(mask, np.asarray(soft) > 127)
    assert len(mask.repairs) == 1
    assert "soft edges" in mask.repairs[0]


@pytest.mark.parametrize("fills", [["red"], ["red", "lime"], ["red", (128, 0, 0), "white"]])
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


def test_a_jpeg_is_a_soft_mask(read):
    image = Image.fromarray(regions((0, 255)).astype(np.uint8))
    with pytest.raises(UsageError, match="soft edges"):
        read(image, name="mask.jpg")
    assert_labels(read(image, name="mask.jpg", fix=True), regions((0, 1)))


def test_a_blurred_mask_is_thresholded_at_half(read):
    blurred = cv2.GaussianBlur(regions((0, 255)).astype(np.uint8), (0, 0), 4)
    mask = read(Image.fromarray(blurred), fix=True)
    assert mask.labels.any()
    assert (mask.labels != regions((0, 1))).mean() < 0.05


def test_two_nearly_equal_whites_are_one_with_noise(read):
    array = regions((0, 255))
    array[10:25, 4:16] = 250
    with pytest.raises(UsageError, match="soft edges"):
        read(Image.fromarray(array.astype(np.uint8)))
    assert_labels(read(Image.fromarray(array.astype(np.uint8)), fix=True), regions((0, 1)))


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
        "draw it at that size, or give --fix-mask to have it resized"
    )
    assert caught.value.exit_code == 2


def test_another_size_is_resized_when_asked(read):
    array = regions((0, 1, 4))
    mask = read(indexed(array), size=(120, 160), fix=True)
    assert_labels(mask, array.repeat(2, axis=0).repeat(2, axis=1))
    assert mask.repairs == ["resized from 80x60 to 160x120"]


def test_a_soft_mask_of_another_size(read):
    soft, _ = circles(["white"])
    mask = read(soft, size=(30, 40), fix=True)
    assert set(np.unique(mask.labels)) == {0, 1}
    assert len(mask.repairs) == 2


def test_an_object_lost_in_resizing_is_said(read):
    array = regions((0, 1))
    array[51, 51] = 2
    mask = read(indexed(array), size=(15, 20), fix=True)
    assert mask.repairs[-1] == "too small to be seen at that size: object 2"


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


def test_an_id_beyond_255(read):
    with pytest.raises(UsageError, match="holds the object id 300; ids go up to 255"):
        read(Image.fromarray(regions((0, 2, 300)).astype(np.uint16)))


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
