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


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [
        (320, 240, (960, 720)),  # by whole factors
        (640, 360, (1280, 720)),
        (640, 480, (960, 720)),  # below two by quarters
        (1280, 720, (1280, 720)),
        (3840, 2160, (3840, 2160)),  # the window makes it smaller
        (16, 16, (256, 256)),
        (1, 1, (16, 16)),
        (1, 5000, (1, 5000)),
    ],
)
def test_small_pictures_are_enlarged(width, height, shown):
    view = Viewport.whole(width, height)
    assert view.shown == shown
    picture = np.zeros((height, width, 3), np.uint8)
    assert view.show(picture).shape == (shown[1], shown[0], 3)


@pytest.mark.parametrize(("width", "height"), [(320, 240), (640, 480), (1, 1)])
def test_each_place_of_an_enlarged_picture_is_its_pixel(width, height):
    view = Viewport.whole(width, height)
    for x, y in ((0, 0), (width - 1, height - 1), (width // 3, height // 2)):
        assert view.in_picture(*view.on_screen(x, y)) == pytest.approx((x, y), abs=0.5)
    right, bottom = view.shown
    assert view.in_picture(right - 1, bottom - 1) == (width - 1, height - 1)


def test_the_wheel_works_on_an_enlarged_picture():
    view = Viewport.whole(320, 240)
    before = view.in_picture(300, 700)
    for _ in range(6):
        view = view.turned(300, 700, True)
    assert view.shown == (960, 720)
    assert view.in_picture(300, 700) == pytest.approx(before, abs=0.6)
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[230, 100] = 255
    rows, columns = np.nonzero(view.show(picture)[..., 0] > 200)
    assert view.in_picture(columns.mean(), rows.mean()) == pytest.approx((100, 230), abs=0.2)
    for _ in range(30):
        view = view.turned(3, 100, False)
    assert view == Viewport.whole(320, 240)


def test_places_outside_are_drawn_in():
    assert Viewport(160, 120).in_picture(-50, 500) == (0, 119)
