import numpy as np
import pytest
from helpers.frames import square_frame

from vosctl.selection.canvas import draw_drawing, draw_strip
from vosctl.selection.choosing import ObjectChooser
from vosctl.selection.drawing import ObjectDrawing
from vosctl.selection.events import Closed, Key, Mouse

RED, BLUE = (230, 40, 40), (40, 40, 230)


@pytest.fixture
def scene():
    return square_frame(120, 160, (1, RED, 20, 30, 40), (2, BLUE, 90, 40, 50))


def drag(target, *points):
    for action, point in zip(["press", *["move"] * (len(points) - 2), "release"], points, strict=True):
        target(Mouse(action, *point))


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def test_a_dragged_box_becomes_a_mask_whichever_way_it_is_dragged(scene):
    image, labels = scene
    for points in ([(15, 25), (50, 50), (66, 76)], [(66, 76), (30, 30), (15, 25)], [(15, 76), (66, 25)]):
        drawing = ObjectDrawing(image, 1)
        drag(drawing.mouse, *points)
        assert overlap(drawing.mask, labels == 1) > 0.9
        assert drawing.path == []
        assert "Enter takes it" in drawing.message


def test_a_stroke_then_paint_then_erase(scene):
    image, labels = scene
    drawing = ObjectDrawing(image, 1)
    assert drawing.key("s")
    drag(drawing.mouse, (14, 24), (66, 24), (66, 76), (14, 76), (14, 26))
    assert overlap(drawing.mask, labels == 1) > 0.9
    assert drawing.key("p")
    drag(drawing.mouse, (95, 45), (135, 85))
    assert drawing.mask[60, 110], "what was painted belongs to it, however fast the mouse was"
    assert drawing.key("e")
    drag(drawing.mouse, (95, 45), (135, 85))
    assert not drawing.mask[60, 110]
    assert drawing.mask[50, 40]


def test_paint_needs_a_mask_and_backspace_starts_over(scene):
    drawing = ObjectDrawing(scene[0], 1)
    assert drawing.key("p")
    assert drawing.tool == "box"
    assert "first" in drawing.message
    drag(drawing.mouse, (15, 25), (66, 76))
    drawing.key("backspace")
    assert drawing.mask is None
    assert not drawing.key("x")


def test_a_box_of_nothing_is_said_and_can_be_drawn_again(scene):
    drawing = ObjectDrawing(scene[0], 1)
    drag(drawing.mouse, (15, 25), (16, 26))
    assert drawing.mask is None
    assert "covers less than" in drawing.message
    drag(drawing.mouse, (150, 110), (500, 500))
    drawing.mouse(Mouse("move", 5, 5))
    drawing.mouse(Mouse("release", 5, 5))
    assert drawing.path == [], "a movement without a press draws nothing"


def test_correcting_begins_with_the_mask(scene):
    image, labels = scene
    drawing = ObjectDrawing(image, 2, labels == 2)
    assert drawing.tool == "paint"
    assert np.array_equal(drawing.mask, labels == 2)


@pytest.mark.parametrize("tool", ["b", "s", "p", "e"])
def test_the_drag_in_progress_is_seen(scene, tool):
    image, labels = scene
    drawing = ObjectDrawing(image, 2, labels == 2)
    drawing.key(tool)
    before = draw_drawing(drawing, labels)
    drawing.mouse(Mouse("press", 10, 90))
    drawing.mouse(Mouse("move", 60, 110))
    after = draw_drawing(drawing, labels)
    assert after.shape == image.shape
    assert (after[85:, :80] != before[85:, :80]).any()
    assert np.array_equal(image, scene[0])


def test_strips_hold_their_text_on_narrow_pictures():
    for size in ((48, 64), (240, 432), (2160, 3840)):
        picture = np.full((*size, 3), 200, np.uint8)
        draw_strip(picture, ["drag: add  r record  s snapshot  q quit", ("object 1 LOST", RED)], bottom=True)
        assert (picture < 100).any()


def test_choosing_two_objects_and_deleting_one(scene):
    image, labels = scene
    chooser = ObjectChooser(image)
    assert chooser.handle(Key("enter")) is None
    assert "first" in chooser.drawing.message
    drag(chooser.handle, (15, 25), (66, 76))
    assert chooser.handle(Key("enter")) is None
    drag(chooser.handle, (84, 34), (146, 96))
    assert chooser.handle(Key("enter")) is None
    assert overlap(chooser.labels == 2, labels == 2) > 0.9
    chooser.handle(Key("d"))
    assert set(np.unique(chooser.labels)) == {0, 1}
    assert chooser.drawing.object_id == 2
    assert chooser.picture().shape == image.shape
    assert chooser.handle(Key("enter")) == "done"


@pytest.mark.parametrize("event", [Closed(), Key("escape"), Key("q")])
def test_choosing_can_be_left(scene, event):
    assert ObjectChooser(scene[0]).handle(event) == "cancelled"
