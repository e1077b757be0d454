import numpy as np
import pytest

from vosctl.selection.viewport import LARGEST_ZOOM, Viewport


def test_the_place_under_the_mouse_stays_where_it_is():
    view = Viewport(160, 120)
    before = view.in_picture(40, 90)
    for _ in range(6):
        view = view.turned(40, 90, True)
    assert view.zoom > 3
    assert view.in_picture(40, 90) == pytest.approx(before, abs=0.6)


def test_it_never_leaves_the_picture_and_comes_back_whole():
    view = Viewport(160, 120)
    for place in ((0, 0), (159, 119), (80, 5)):
        for _ in range(30):
            view = view.turned(*place, True)
        assert view.zoom == LARGEST_ZOOM
        assert view.x >= 0
        assert view.x + 160 / view.zoom <= 160
        assert view.y + 120 / view.zoom <= 120
        for _ in range(30):
            view = view.turned(3, 100, False)
        assert (view.x, view.y, view.zoom) == (0, 0, 1)


def test_what_is_shown_is_where_the_mouse_says():
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[30, 70] = 255
    view = Viewport(160, 120)
    assert view.show(picture) is picture
    for _ in range(8):
        view = view.turned(70, 30, True)
    shown = view.show(picture)
    assert shown.shape == picture.shape
    rows, columns = np.nonzero(shown[..., 0] > 200)
    x, y = view.in_picture(columns.mean(), rows.mean())
    assert (x, y) == pytest.approx((70, 30), abs=0.2)


def test_places_outside_are_drawn_in():
    assert Viewport(160, 120).in_picture(-50, 500) == (0, 119)
