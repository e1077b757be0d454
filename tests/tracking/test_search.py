import numpy as np
import pytest

from vosctl.tracking.search import views_all_over


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
