import numpy as np
import pytest

from vosctl.tracking.crop import Crop
from vosctl.tracking.search import View, shows_more, views_all_over


@pytest.mark.parametrize(
    ("height", "width", "side"), [(480, 854, 200), (240, 432, 96), (1080, 1920, 300), (500, 300, 60)]
)
def test_the_whole_frame_and_then_all_of_its_parts_are_looked_at(height, width, side):
    whole, *parts = views_all_over(height, width, side, 256)
    assert whole.crop.side >= max(height, width)
    assert len(parts) <= 8
    covered = np.zeros((height, width), np.bool_)
    for view in parts:
        crop = view.crop
        assert side <= crop.side < whole.crop.side
        covered[max(crop.y, 0) : crop.y + crop.side, max(crop.x, 0) : crop.x + crop.side] = True
    assert covered.mean() > 0.98


def test_nothing_is_known_of_where_the_object_is():
    for view in views_all_over(480, 854, 200, 128):
        assert view.guidance.shape == (128, 128)
        assert not view.guidance.any()


def test_an_object_as_large_as_the_frame_is_looked_for_once():
    assert len(list(views_all_over(480, 500, 460, 256))) == 1


def test_of_two_views_of_one_thing_that_which_shows_more_of_it_is_told():
    thing = np.zeros((240, 400), np.float32)
    thing[80:140, 100:200] = 1
    whole, half = (View(crop, crop.cut_mask(thing)) for crop in (Crop(60, 40, 180, 96), Crop(0, 40, 150, 96)))
    assert shows_more(whole, half)
    assert not shows_more(half, whole)
    assert not shows_more(whole, whole)
    elsewhere = np.roll(thing, 190, axis=1)
    crop = Crop(220, 40, 180, 96)
    other = View(crop, crop.cut_mask(elsewhere))
    assert not shows_more(other, half)
    assert not shows_more(half, other)
