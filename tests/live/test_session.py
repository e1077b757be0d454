from typing import Any

import numpy as np
import pytest

from tests.helpers.live import picture
from tests.helpers.mouse import mouse_at
from tests.helpers.prompts import colour_finder
from vosctl.live.session import DRAWING_HELP, LIVE_HELP, Add, Quit, Remove, Session, TakeSnapshot, ToggleRecording
from vosctl.live.view import VIEWS, Status, draw_status, render_view
from vosctl.selection.events import Closed, Key, MouseAction
from vosctl.tracking.edits import nothing_tracked, with_masks, without_object
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.video.colours import object_colour

BLANK = np.zeros((64, 96, 3), np.uint8)


@pytest.fixture
def session():
    """A session that has seen a frame in which objects 1 (red) and 2 (blue) are followed."""
    session = Session(finder_for=colour_finder)
    image, labels = picture(0)
    result = nothing_tracked(*labels.shape)
    for object_id in (2, 1):
        result = with_masks(result, {object_id: labels == object_id})
    session.see(image, result)
    return session


@pytest.fixture
def empty():
    session = Session(finder_for=colour_finder)
    session.see(picture(0)[0], nothing_tracked(64, 96))
    return session


def press(session, *names):
    return [command for name in names for command in session.handle(Key(name))]


def drag(session, *points):
    moves: list[MouseAction] = ["move"] * (len(points) - 2)
    actions: list[MouseAction] = ["press", *moves, "release"]
    for action, point in zip(actions, points, strict=True):
        assert list(session.handle(mouse_at(BLANK, action, *point))) == []


def test_a_drag_on_the_live_picture_draws_a_box_on_the_frame_it_began_on(empty):
    image = empty.image
    empty.handle(mouse_at(BLANK, "press", 5, 7))
    empty.handle(mouse_at(BLANK, "move", 5.2, 7.1))
    assert not empty.drawing, "a hand that trembles is not a drag"
    empty.handle(mouse_at(BLANK, "move", 20, 20))
    empty.see(picture(9)[0], nothing_tracked(64, 96))
    empty.handle(mouse_at(BLANK, "release", 35, 37))
    assert empty.drawing.image is image
    assert empty.help == DRAWING_HELP
    (command,) = press(empty, "enter")
    assert isinstance(command, Add)
    assert command.object_id == 1
    assert command.image is image
    expected = picture(0)[1] == 1
    assert (command.mask & expected).sum() / (command.mask | expected).sum() > 0.85
    assert empty.drawing is None
    assert empty.help == LIVE_HELP


def test_enter_without_a_mask_takes_nothing_and_escape_leaves_drawing_only(empty):
    assert press(empty, "a", "enter") == []
    assert empty.drawing is not None
    assert press(empty, "q") == [], "q does not quit while an object is drawn"
    assert press(empty, "escape") == []
    assert empty.drawing is None
    assert press(empty, "escape") == [Quit()]


def test_the_picture_that_is_drawn_on_keeps_its_own_objects(session):
    labels = session.result.labels
    for key in ("a", "c"):
        press(session, key)
        session.see(picture(9)[0], nothing_tracked(64, 96))
        assert session.standing is labels
        press(session, "escape")
        session.see(session.image, with_masks(nothing_tracked(64, 96), {1: labels == 1}))
        labels = session.result.labels


def test_a_new_object_takes_the_first_free_id(session):
    press(session, "a")
    assert session.drawing.object_id == 3
    press(session, "escape")
    session.see(session.image, without_object(session.result, 1))
    press(session, "a")
    assert session.drawing.object_id == 1


def test_a_click_a_number_and_tab_select(session):
    assert session.selected == 2
    drag(session, (20, 20), (20, 20))
    assert session.selected == 1
    drag(session, (2, 2), (2, 2))
    assert session.selected == 1, "a click beside the objects changes nothing"
    press(session, "2")
    assert session.selected == 2
    press(session, "9")
    assert session.selected == 2
    press(session, "tab")
    assert session.selected == 1
    press(session, "tab")
    assert session.selected == 2


def test_correcting_begins_with_the_objects_mask_and_a_lost_one_is_drawn_anew(session):
    press(session, "1", "c")
    assert session.drawing.object_id == 1
    assert (session.drawing.mask == (picture(0)[1] == 1)).all()
    (command,) = press(session, "enter")
    assert command.object_id == 1
    assert session.selected == 1
    lost = session.result.objects[0].__class__(1, "lost", 0.0, 0, None)
    labels = session.result.labels.copy()
    labels[labels == 1] = 0
    session.see(session.image, session.result.__class__(labels, labels, (lost, session.result.objects[1])))
    press(session, "1", "c")
    assert session.drawing.mask is None
    assert session.drawing.object_id == 1


def test_keys_that_ask_for_something(session):
    assert press(session, "d") == [Remove(2)]
    assert press(session, "delete") == [Remove(2)]
    assert press(session, "r") == [ToggleRecording()]
    assert press(session, "s") == [TakeSnapshot()]
    assert press(session, "q") == [Quit()]
    assert list(session.handle(Closed())) == [Quit()]
    press(session, "a")
    assert list(session.handle(Closed())) == [Quit()]


def test_keys_that_change_the_picture(session):
    assert [session.view] + [press(session, "v") or session.view for _ in VIEWS] == [*VIEWS, VIEWS[0]]
    press(session, "space")
    assert session.paused
    press(session, "space", "h")
    assert not session.paused
    assert not session.show_help


def test_nothing_happens_to_objects_that_are_not_there(empty):
    assert press(empty, "d", "tab", "1") == []
    assert press(empty, "c") == []
    assert "no object to correct" in empty.message
    blank = Session()
    assert press(blank, "a", "c", "d", "tab", "v") == []
    drag(blank, (1, 1), (30, 30))
    assert blank.drawing is None


@pytest.mark.parametrize("view", VIEWS)
def test_views_show_the_objects_as_they_are(session, view):
    shown = render_view(session.image, session.result, view)
    assert shown.shape == session.image.shape
    inside = picture(0)[1] == 1
    if view == "overlay":
        assert (shown[~(session.result.labels > 0)] == session.image[~(session.result.labels > 0)]).mean() > 0.9
    else:
        assert abs(shown[inside].astype(int) - session.image[inside]).max() <= 1
    if view == "cutout":
        assert (shown[0, 0] == (0, 177, 64)).all()


def test_the_status_is_written_on_the_picture(session):
    base: dict[str, Any] = {
        "fps": 24.9,
        "latency": 0.031,
        "dropped": 3,
        "objects": (1, 2),
        "lost": frozenset(),
        "selected": None,
    }
    base |= {"recording": None, "trouble": None, "message": "", "paused": False}
    pictures = []
    for change in ({}, {"lost": frozenset({2})}, {"recording": 61.0}, {"trouble": "stream dropped"}, {"paused": True}):
        canvas = render_view(picture(0)[0].repeat(5, axis=0).repeat(5, axis=1), nothing_tracked(320, 480), "cutout")
        draw_status(canvas, Status(**base | change))
        pictures.append(canvas.tobytes())
    assert len(set(pictures)) == len(pictures)


def test_the_window_chooses_colours_that_stand_out(empty):
    session = empty
    image = np.full((64, 96, 3), (90, 130, 60), np.uint8)
    labels = np.zeros((64, 96), np.uint8)
    labels[20:40, 30:60] = 1
    image[labels == 1] = object_colour(1)
    result = TrackedFrame(labels, labels * 255, (TrackedObject(1, "tracked", 1.0, 600, (30, 20, 30, 20)),))
    session.see(image, result)
    assert session.colours[1] != object_colour(1)
    shown = render_view(image, result, "overlay", session.colours)
    expected = 0.58 * np.array(object_colour(1)) + 0.42 * np.array(session.colours[1])
    np.testing.assert_allclose(shown[30, 45], expected, atol=1)
