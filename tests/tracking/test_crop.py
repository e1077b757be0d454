import cv2
import numpy as np
import pytest

from vosctl.tracking.crop import FILL, Crop, main_box, mask_box


def disc(height, width, x, y, radius):
    rows, columns = np.mgrid[0:height, 0:width]
    return ((columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= radius**2).astype(np.float32)


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("side", [50, 64, 97, 200, 331])
@pytest.mark.parametrize(("x", "y"), [(20, 30), (-17, -9), (150, 60)])
def test_into_the_crop_and_back(side, x, y):
    mask = disc(150, 220, x + side / 2, y + side / 2, side / 4)
    crop = Crop(x, y, side, 64)
    back = crop.to_frame(crop.cut_mask(mask), 0, 0, 220, 150)
    assert back.shape == (150, 220)
    if (mask > 0.5).sum() > 100:
        assert iou(back > 0.5, mask > 0.5) > 0.93


def test_the_way_back_has_no_shift():
    """A pixel's centre lies at +0.5 in every resampling: half a pixel of drift a frame would carry a mask away."""
    mask = disc(200, 200, 100, 100, 40)
    crop = Crop(30, 25, 150, 64)
    back = crop.to_frame(crop.cut_mask(mask), 0, 0, 200, 200)
    moments = cv2.moments(back)
    assert abs(moments["m10"] / moments["m00"] - 99.5) < 0.1
    assert abs(moments["m01"] / moments["m00"] - 99.5) < 0.1


def test_crop_to_crop_has_no_shift():
    mask = disc(200, 200, 100, 100, 30)
    one, other = Crop(40, 30, 130, 64), Crop(52, 47, 110, 64)
    carried = other.resample(one.cut_mask(mask), one)
    assert iou(carried > 0.5, other.cut_mask(mask) > 0.5) > 0.93
    moments, expected = cv2.moments(carried), cv2.moments(other.cut_mask(mask))
    assert abs(moments["m10"] / moments["m00"] - expected["m10"] / expected["m00"]) < 0.15
    assert abs(moments["m01"] / moments["m00"] - expected["m01"] / expected["m00"]) < 0.15


def test_outside_the_frame_is_the_mean_and_nothing():
    crop = Crop(-32, -32, 64, 64)
    image = np.full((100, 100, 3), 255, np.uint8)
    seen = crop.cut(image)
    assert tuple(seen[10, 10]) == FILL
    assert tuple(seen[50, 50]) == (255, 255, 255)
    mask = crop.cut_mask(np.ones((100, 100), np.float32))
    assert mask[10, 10] == 0
    assert mask[50, 50] == 1


def test_a_crop_that_left_the_frame_is_blank():
    image = np.full((100, 100, 3), 255, np.uint8)
    assert (Crop(500, 500, 64, 32).cut(image) == FILL).all()


def test_specks_do_not_count_for_the_crop():
    mask = np.zeros((100, 100), bool)
    mask[20:60, 30:60] = True
    mask[95:98, 95:98] = True
    assert main_box(mask) == (30, 20, 30, 40)
    mask[70:90, 60:80] = True  # a part of a third of the largest one's area
    assert main_box(mask) == (30, 20, 50, 70)
    assert main_box(np.zeros_like(mask)) is None


def test_mask_box():
    mask = np.zeros((20, 30), bool)
    assert mask_box(mask) is None
    mask[4:9, 7:10] = True
    assert mask_box(mask) == (7, 4, 3, 5)


@pytest.mark.parametrize("side", [130.0, 200.3, 259.0, 517.0])
def test_strong_shrinking_does_not_alias(side):
    crop = Crop.around(300, 300, side, 64)
    assert abs(crop.side - side) <= 4
    checkerboard = np.indices((600, 600)).sum(axis=0)[..., None].repeat(3, axis=2) % 2 * np.uint8(254)
    seen = crop.cut(checkerboard.astype(np.uint8))
    assert abs(seen.astype(int) - 127).max() <= 2
