import numpy as np
import pytest

from tests.helpers.frames import square_frame
from tests.helpers.mouse import mouse_at, wheel_at
from tests.helpers.prompts import colour_finder
from vosctl.prompts import MaskPrediction, Stroke
from vosctl.selection.canvas import draw_drawing, draw_strip
from vosctl.selection.choosing import ObjectChooser
from vosctl.selection.drawing import ObjectDrawing
from vosctl.selection.events import Closed, Key, MouseAction
from vosctl.selection.painting import painted_over

RED, BLUE = (230, 40, 40), (40, 40, 230)
BLANK = np.zeros((120, 160, 3), np.uint8)


@pytest.fixture
def scene():
    return square_frame(120, 160, (1, RED, 20, 30, 40), (2, BLUE, 90, 40, 50))


@pytest.fixture
def drawing(scene):
    return ObjectDrawing(scene[0], 1, colour_finder(scene[0]), patience=60)


def drag(target, *points, away=False):
    moves: list[MouseAction] = ["move"] * (len(points) - 2)
    actions: list[MouseAction] = ["press", *moves, "release"]
    for action, (x, y) in zip(actions, points, strict=True):
        target(mouse_at(BLANK, action, x, y, away))


def click(drawing, x, y, away=False):
    drag(drawing.mouse, (x, y), (x, y), away=away)
    drawing.work()


def test_a_click_adds_and_a_click_of_the_other_button_takes_away(scene, drawing):
    _, labels = scene
    click(drawing, 40, 50)
    assert np.array_equal(drawing.mask, labels == 1)
    click(drawing, 100, 60)
    assert np.array_equal(drawing.mask, labels > 0)
    click(drawing, 41, 51, away=True)
    assert np.array_equal(drawing.mask, labels == 2)
    assert [on for _, _, on in drawing.prompt.points] == [True, True, False]
    assert "Enter takes it" in drawing.message


def test_it_says_that_it_is_busy_before_it_looks(drawing):
    drag(drawing.mouse, (40, 50), (40, 50))
    assert drawing.busy
    assert drawing.mask is None
    assert "Looking" in drawing.message
    assert drawing.work()
    assert not drawing.busy
    assert not drawing.work(), "nothing is left to do"


def test_a_dragged_box_becomes_a_mask_whichever_way_it_is_dragged(scene):
    image, labels = scene
    for points in ([(15, 25), (50, 50), (66, 76)], [(66, 76), (30, 30), (15, 25)], [(15, 76), (66, 25)]):
        drawing = ObjectDrawing(image, 1, colour_finder(image))
        drag(drawing.mouse, *points)
        assert drawing.prompt.box == (15, 25, 52, 52)
        drawing.work()
        assert np.array_equal(drawing.mask, labels == 1)
        assert drawing.path == []


def test_undo_and_redo_go_through_everything_that_was_done(scene, drawing):
    _, labels = scene
    click(drawing, 40, 50)
    click(drawing, 100, 60)
    for name in ("z", "undo"):
        drawing.key(name)
    assert drawing.mask is None
    assert drawing.key("z")
    assert "Nothing to undo" in drawing.message
    drawing.key("y")
    assert np.array_equal(drawing.mask, labels == 1)
    drawing.key("redo")
    assert np.array_equal(drawing.mask, labels > 0)
    drawing.key("y")
    assert "Nothing to do again" in drawing.message
    drawing.key("backspace")
    assert drawing.mask is None
    drawing.key("z")
    assert np.array_equal(drawing.mask, labels > 0), "starting over can be undone"
    drawing.key("z")
    click(drawing, 5, 5)
    assert not drawing.key("x")
    drawing.key("y")
    assert "Nothing to do again" in drawing.message, "what was undone is gone after something new"


def test_a_line_round_it_then_paint_then_erase(scene, drawing):
    _, labels = scene
    assert drawing.key("s")
    drag(drawing.mouse, (18, 28), (62, 28), (62, 72), (18, 72), (18, 30))
    drawing.work()
    assert (drawing.mask & (labels == 1)).sum() == (labels == 1).sum()
    assert drawing.key("p")
    drag(drawing.mouse, (95, 45), (135, 85))
    drawing.work()
    assert drawing.mask[65, 115], "what was painted belongs to it, however fast the mouse was"
    assert drawing.key("e")
    drag(drawing.mouse, (95, 45), (135, 85))
    drawing.work()
    assert not drawing.mask[65, 115]
    assert drawing.mask[50, 40]
    drawing.key("z")
    assert drawing.mask[65, 115]


def test_later_strokes_lie_over_earlier_ones():
    path = ((10.0, 10.0), (30.0, 10.0))
    strokes = (Stroke(path, True, 4), Stroke(((20.0, 10.0),), False, 2))
    painted = painted_over(np.zeros((20, 40), bool), strokes)
    assert painted[10, 12]
    assert not painted[10, 20]
    assert painted_over(painted, (Stroke(((20.0, 10.0),), True, 2),))[10, 20]


def test_taking_away_and_paint_need_a_mask(drawing):
    click(drawing, 40, 50, away=True)
    assert drawing.mask is None
    assert "first" in drawing.message
    assert drawing.key("p")
    assert drawing.tool == "point"
    assert "first" in drawing.message


def test_what_is_wrong_is_said_and_can_be_done_again(scene, drawing):
    drag(drawing.mouse, (15, 25), (18, 29))
    drawing.work()
    assert drawing.mask is None or drawing.prompt.box is not None
    drawing.key("s")
    drag(drawing.mouse, (15, 25), (16, 26))
    assert "next to nothing" in drawing.message
    drag(drawing.mouse, (150, 110), (500, 500))
    drawing.mouse(mouse_at(BLANK, "move", 5, 5))
    drawing.mouse(mouse_at(BLANK, "release", 5, 5))
    assert drawing.path == [], "a movement without a press draws nothing"


def test_a_doubtful_mask_is_told_in_the_words_of_the_window(scene):
    doubtful = ObjectDrawing(scene[0], 1, colour_finder(scene[0], score=0.1))
    click(doubtful, 40, 50)
    assert doubtful.message == (
        "The mask is doubtful (score 0.10 of 1); click what it lacks, right click or Alt-click what is too much, "
        "Enter takes it as it is"
    )
    drag(doubtful.mouse, (0, 0), (159, 119))
    doubtful.work()
    assert "score" in doubtful.message
    assert "; drag a closer box, click what it lacks" in doubtful.message
    nothing = ObjectDrawing(scene[0], 1, lambda prompt: MaskPrediction(np.zeros(BLANK.shape[:2], np.float32), 0.9))
    click(nothing, 40, 50)
    assert "Nothing was found there; click on the object" in nothing.message


def test_the_wheel_shows_more_and_clicks_follow(scene, drawing):
    _, labels = scene
    plain = draw_drawing(drawing, labels * 0)
    for _ in range(5):
        drawing.wheel(wheel_at(BLANK, 100, 60, True))
    assert (draw_drawing(drawing, labels * 0) != plain).any()
    place = mouse_at(BLANK, "press", 30, 20)
    there = drawing.view.in_picture(place.x, place.y)
    assert there != pytest.approx((30, 20), abs=5)
    click(drawing, 30, 20)
    assert drawing.prompt.points[0][:2] == there
    for _ in range(5):
        drawing.wheel(wheel_at(BLANK, 100, 60, False))
    assert drawing.view.zoom == 1


def test_a_click_is_seen_before_it_is_made(scene, drawing):
    _, labels = scene
    drawing.mouse(mouse_at(BLANK, "move", 100, 60))
    drawing.look_ahead()
    assert drawing.preview is None, "how long a mask takes is not known yet"
    click(drawing, 40, 50)
    drawing.mouse(mouse_at(BLANK, "move", 100, 60))
    assert drawing.look_ahead()
    assert np.array_equal(drawing.preview, labels > 0)
    assert np.array_equal(drawing.mask, labels == 1), "nothing is taken yet"
    assert (draw_drawing(drawing, labels * 0) != draw_drawing_without_preview(drawing, labels)).any()
    drawing.mouse(mouse_at(BLANK, "move", 45, 50))
    assert drawing.look_ahead()
    assert drawing.preview is None, "a click in the mask adds nothing"


def draw_drawing_without_preview(drawing, labels):
    preview, drawing.preview = drawing.preview, None
    shown = draw_drawing(drawing, labels * 0)
    drawing.preview = preview
    return shown


def test_correcting_begins_with_the_mask(scene):
    image, labels = scene
    drawing = ObjectDrawing(image, 2, colour_finder(image), labels == 2)
    assert np.array_equal(drawing.mask, labels == 2)
    click(drawing, 40, 50)
    assert np.array_equal(drawing.mask, labels > 0)
    drawing.key("z")
    assert np.array_equal(drawing.mask, labels == 2)


@pytest.mark.parametrize("tool", ["b", "s", "p", "e"])
def test_the_drag_in_progress_is_seen(scene, tool):
    image, labels = scene
    drawing = ObjectDrawing(image, 2, colour_finder(image), labels == 2)
    drawing.key(tool)
    before = draw_drawing(drawing, labels)
    drawing.mouse(mouse_at(BLANK, "press", 10, 90))
    drawing.mouse(mouse_at(BLANK, "move", 60, 110))
    after = draw_drawing(drawing, labels)
    width, height = drawing.view.shown
    assert after.shape == (height, width, 3) == (720, 960, 3)
    assert (after[510:, :480] != before[510:, :480]).any()
    assert np.array_equal(image, scene[0])


def test_strips_hold_their_text_on_narrow_pictures():
    for size in ((48, 64), (240, 432), (2160, 3840)):
        picture = np.full((*size, 3), 200, np.uint8)
        draw_strip(picture, ["drag: add  r record  s snapshot  q quit", ("object 1 LOST", RED)], bottom=True)
        assert (picture < 100).any()


def test_no_line_of_a_strip_is_cut_off():
    """Thick letters are wider than thin ones: a line that just fits is the next one's."""
    words = "  ".join(f"{number} mows" for number in range(60))
    for width in range(1280, 1920, 20):
        picture = np.zeros((width * 9 // 16, width, 3), np.uint8)
        draw_strip(picture, [words])
        assert (picture > 100).any()
        assert not picture[:, -4:].any()


def test_a_part_that_is_too_long_by_itself_is_wrapped_at_its_words():
    words = (
        "the mask is doubtful; add a point on the object where the mask lacks it or one beside it, or give a box  Enter"
    )
    picture = np.zeros((360, 480, 3), np.uint8)
    draw_strip(picture, [words])
    shown = picture.max(axis=2) > 100
    assert not shown[:, -4:].any()
    rows = shown.any(axis=1).astype(int)
    assert (np.diff(rows) == 1).sum() >= 2, "in more than one row"


def test_choosing_two_objects_and_deleting_one(scene):
    image, labels = scene
    chooser = ObjectChooser(image, colour_finder(image))
    assert chooser.handle(Key("enter")) is None
    assert "first" in chooser.drawing.message
    drag(chooser.handle, (15, 25), (66, 76))
    assert chooser.handle(Key("enter")) is None, "Enter waits for the mask that is being looked for"
    drag(chooser.handle, (100, 60), (100, 60))
    chooser.handle(wheel_at(BLANK, 10, 10, True))
    assert chooser.handle(Key("enter")) is None
    assert np.array_equal(chooser.labels, labels)
    chooser.handle(Key("d"))
    assert set(np.unique(chooser.labels)) == {0, 1}
    assert chooser.drawing.object_id == 2
    assert chooser.picture().shape == (720, 960, 3), "the small picture is enlarged"
    assert chooser.handle(Key("enter")) == "done"


@pytest.mark.parametrize("event", [Closed(), Key("escape"), Key("q")])
def test_choosing_can_be_left(scene, event):
    assert ObjectChooser(scene[0], colour_finder(scene[0])).handle(event) == "cancelled"


def test_what_would_leave_nothing_changes_nothing(scene, drawing):
    """And is no step to be undone."""
    click(drawing, 40, 50)
    click(drawing, 100, 60)
    drawing.key("e")
    drawing.brush = 200
    click(drawing, 80, 60)
    assert "it stays as it was" in drawing.message
    assert np.array_equal(drawing.mask, scene[1] > 0)
    drawing.key("z")
    assert np.array_equal(drawing.mask, scene[1] == 1)


def test_anew_forgets_what_is_being_looked_for(drawing):
    drag(drawing.mouse, (40, 50), (40, 50))
    drawing.key("backspace")
    assert not drawing.work()
    assert drawing.mask is None
