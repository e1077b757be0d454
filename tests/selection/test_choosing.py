"""The window on a later frame: what is known there is corrected, and new objects come beside it."""

import numpy as np
import pytest

from tests.helpers.frames import square_frame
from tests.helpers.mouse import mouse_at, wheel_at
from tests.helpers.prompts import colour_finder
from vosctl.selection.choosing import ObjectChooser
from vosctl.selection.events import Key
from vosctl.video.colours import object_colour

RED, BLUE, GREEN = (230, 40, 40), (40, 40, 230), (40, 200, 40)


@pytest.fixture
def scene():
    return square_frame(120, 160, (1, RED, 10, 10, 40), (2, BLUE, 90, 10, 40), (3, GREEN, 50, 70, 40))


@pytest.fixture
def chooser(scene):
    """Objects 1 and 2 are known and seen, 7 is known and not seen, the green square is new."""
    image, labels = scene
    return ObjectChooser(image, colour_finder(image), np.where(labels == 3, 0, labels).astype(np.uint8), (1, 2, 7))


def click(chooser, x, y, away=False):
    for action in ("press", "release"):
        chooser.handle(mouse_at(chooser.labels[..., None], action, x, y, away))
    chooser.drawing.work()


def drag(chooser, start, end):
    picture = chooser.labels[..., None]
    chooser.handle(mouse_at(picture, "press", *start))
    chooser.handle(mouse_at(picture, "move", *end))
    chooser.handle(mouse_at(picture, "release", *end))
    chooser.drawing.work()


def test_it_begins_with_the_first_object_that_is_seen(scene, chooser):
    assert chooser.drawing.object_id == 1
    assert np.array_equal(chooser.drawing.mask, scene[1] == 1)
    assert not chooser.chosen.any()
    shown = chooser.picture(12)
    assert shown.shape == (720, 960, 3)
    for object_id, (x, y) in ((1, (30, 30)), (2, (110, 30))):
        tinted = shown[6 * y, 6 * x].astype(int) - scene[0][y, x]
        wanted = np.array(object_colour(object_id), int) - scene[0][y, x]
        assert tinted @ wanted > 0, "each in its colour"


def test_only_what_was_corrected_is_chosen(scene, chooser):
    _, labels = scene
    click(chooser, 70, 90)
    assert chooser.handle(Key("enter")) is None
    assert "taken" in chooser.drawing.message
    assert np.array_equal(chooser.chosen == 1, (labels == 1) | (labels == 3))
    assert set(np.unique(chooser.chosen)) == {0, 1}
    assert (chooser.labels[labels == 2] == 2).all(), "the other is still shown"
    assert chooser.handle(Key("enter")) == "done"


def test_going_on_needs_a_change(chooser):
    for _ in range(2):
        assert chooser.handle(Key("enter")) is None
        assert "Nothing is changed yet" in chooser.drawing.message
    click(chooser, 70, 90)
    chooser.handle(Key("z"))
    assert chooser.handle(Key("enter")) is None, "what was undone is no change"
    assert not chooser.chosen.any()


def test_what_is_emptied_is_not_passed_over(chooser):
    """No mask cannot be said of an object: it would stay as it was."""
    click(chooser, 70, 90)
    chooser.handle(Key("enter"))
    chooser.handle(Key("backspace"))
    assert chooser.handle(Key("enter")) is None
    assert "Nothing is left of it" in chooser.drawing.message
    chooser.handle(Key("z"))
    assert chooser.handle(Key("enter")) == "done"


def test_tab_and_numbers_go_through_the_objects_and_take_what_is_drawn(scene, chooser):
    _, labels = scene
    click(chooser, 70, 90)
    chooser.handle(wheel_at(scene[0], 10, 10, True))
    view = chooser.drawing.view
    seen = []
    for _ in range(5):
        chooser.handle(Key("tab"))
        seen.append(chooser.drawing.object_id)
    assert seen == [2, 7, 3, 1, 2], "3 is the next that is free"
    assert chooser.drawing.view == view
    assert np.array_equal(chooser.chosen == 1, (labels == 1) | (labels == 3))
    chooser.handle(Key("7"))
    assert chooser.drawing.object_id == 7
    assert chooser.drawing.mask is None, "it is not seen, and drawn anew"
    chooser.handle(Key("5"))
    assert chooser.drawing.object_id == 7, "there is no such object"
    chooser.handle(Key("1"))
    click(chooser, 30, 30, away=True)
    chooser.handle(Key("a"))
    assert np.array_equal(chooser.chosen == 1, labels == 3), "corrected once more"


def test_a_new_object_gets_a_number_that_no_other_has(scene, chooser):
    _, labels = scene
    chooser.handle(Key("a"))
    assert chooser.drawing.object_id == 3
    click(chooser, 70, 90)
    chooser.handle(Key("enter"))
    assert np.array_equal(chooser.chosen, np.where(labels == 3, 3, 0))
    assert chooser.drawing.object_id == 4
    assert chooser.handle(Key("enter")) == "done"


def test_taking_back_gives_the_known_mask_again(scene, chooser):
    _, labels = scene
    before = chooser.labels.copy()
    click(chooser, 110, 30)
    assert "Nothing is left of object 2" in chooser.drawing.message
    chooser.handle(Key("enter"))
    assert not (chooser.labels == 2).any(), "it is covered, as was clicked"
    chooser.handle(Key("d"))
    assert np.array_equal(chooser.labels, before)
    assert np.array_equal(chooser.drawing.mask, labels == 1)
    assert not chooser.chosen.any()
    chooser.handle(Key("d"))
    assert chooser.handle(Key("enter")) is None


def test_the_later_lies_on_top(scene, chooser):
    _, labels = scene
    click(chooser, 70, 90)
    chooser.handle(Key("2"))
    click(chooser, 70, 90)
    chooser.handle(Key("enter"))
    assert np.array_equal(chooser.chosen, labels % 3 + 2 * (labels == 3))


def test_a_new_object_leaves_the_others_what_is_theirs(scene):
    """Part of the green square is another object's: it stays so until somebody clicks there or paints over it."""
    image, labels = scene
    known = np.where(labels == 3, 0, labels).astype(np.uint8)
    known[70:80, 50:90] = 2
    chooser = ObjectChooser(image, colour_finder(image), known)
    chooser.handle(Key("a"))
    click(chooser, 70, 100)
    assert "What object 2 has there stays" in chooser.drawing.message
    assert np.array_equal(chooser.drawing.mask, (labels == 3) & (known == 0))
    chooser.handle(Key("p"))
    drag(chooser, (60, 74), (70, 74))
    painted = chooser.drawing.mask & (known == 2)
    assert 0 < painted.sum() < 200, "what is painted, and no more"
    assert painted[74, 65]
    chooser.handle(Key("z"))
    chooser.handle(Key("b"))
    click(chooser, 52, 72)
    assert np.array_equal(chooser.drawing.mask, labels == 3)
    assert "Taken in part from object 2" in chooser.drawing.message
    chooser.handle(Key("enter"))
    assert np.array_equal(chooser.chosen == 3, labels == 3)
    assert (chooser.labels == 2).sum() == (labels == 2).sum()


def test_what_another_object_had_taken_in_becomes_an_object_of_its_own(scene):
    image, labels = scene
    known = np.where(labels > 0, 1, 0).astype(np.uint8)
    chooser = ObjectChooser(image, colour_finder(image), known)
    chooser.handle(Key("a"))
    drag(chooser, (48, 68), (92, 112))
    assert np.array_equal(chooser.drawing.mask, labels == 3)
    chooser.handle(Key("enter"))
    assert np.array_equal(chooser.labels, np.where(labels == 3, 2, labels > 0))


def test_the_objects_have_an_end(scene):
    image, _ = scene
    chooser = ObjectChooser(image, colour_finder(image), None, range(1, 256))
    assert chooser.drawing.object_id == 1
    chooser.handle(Key("a"))
    assert "the most" in chooser.drawing.message
    for _ in range(255):
        chooser.handle(Key("tab"))
    assert chooser.drawing.object_id == 1
