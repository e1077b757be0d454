import json
from dataclasses import replace

import numpy as np
import pytest

from vosctl.tracking.framing import (
    CONTEXT,
    FIRST_SURPRISE,
    LARGEST_CONTEXT,
    LEAST_CONTEXT,
    MIN_SIDE,
    Framing,
    crop_of_box,
)
from vosctl.tracking.keeping import TrackerState
from vosctl.tracks.states import pack_state, unpack_state

SHARES = (1, 1, 1.03, 1.06, 1.06)


def moved(framing, boxes):
    for box in boxes:
        framing = framing.seen(box)
    return framing


def test_following_a_box_is_smoothed_but_arrives():
    start = Framing.of_box((100, 100, 100, 40), 64)
    goal = (160.0, 130.0, 150.0, 40.0)
    assert start.crop.side < start.seen(goal).crop.side < 150 * CONTEXT
    crop = moved(start, [goal] * 25).crop
    assert abs(crop.side - 150 * LEAST_CONTEXT) <= 1
    assert np.allclose(crop.center, (235, 150), atol=1.5)


@pytest.mark.parametrize("step", [(30, 0), (-22, 17)])
def test_the_crop_goes_ahead_of_a_moving_object(step):
    """After a few frames at one speed it is centred where the object will be, not where it was."""
    boxes = [(500.0 + k * step[0], 400.0 + k * step[1], 80.0, 60.0) for k in range(14)]
    crop = moved(Framing.of_box(boxes[0], 256), boxes[1:-1]).crop
    x, y, width, height = boxes[-1]
    assert np.allclose(crop.center, (x + width / 2, y + height / 2), atol=1.5)


def test_the_crop_is_close_where_motion_is_foretold_and_wide_where_it_is_not():
    steady = [(500.0 + 30 * k, 400.0, 80.0, 60.0) for k in range(30)]
    assert moved(Framing.of_box(steady[0], 256), steady[1:]).crop.side == pytest.approx(80 * LEAST_CONTEXT, abs=1)
    darting = [(500.0 + 30 * (k % 2), 400.0, 80.0, 60.0) for k in range(30)]
    wide = moved(Framing.of_box(darting[0], 256), darting[1:])
    assert wide.crop.side == pytest.approx(80 * LARGEST_CONTEXT, abs=1)
    calm = moved(wide, [darting[-1]] * 5).crop.side
    assert calm > 80 * CONTEXT  # for a while
    assert moved(wide, [darting[-1]] * 40).crop.side == pytest.approx(80 * LEAST_CONTEXT, abs=1)


def test_an_object_of_unknown_motion_is_given_some_room():
    assert LEAST_CONTEXT < CONTEXT < LARGEST_CONTEXT
    framing = Framing.of_box((100, 100, 80, 80), 64)
    assert framing.crop.side == 80 * CONTEXT
    assert framing.seen((100, 100, 80, 80)).crop.side < 80 * CONTEXT


def test_large_crops_show_more_around_the_object():
    box, sizes = (100.0, 100.0, 800.0, 800.0), (192, 320, 352, 384, 512)
    first = [Framing.of_box(box, size) for size in sizes]
    assert [one.crop.side for one in first] == pytest.approx([800 * CONTEXT * share for share in SHARES], abs=1)
    settled = [moved(one, [box] * 30).crop.side for one in first]
    assert settled == pytest.approx([800 * LEAST_CONTEXT * share for share in SHARES], abs=2)


def test_the_crop_keeps_the_size_of_an_object_that_is_half_hidden():
    framing = moved(Framing.of_box((300, 100, 200, 100), 256), [(300.0, 100.0, 60.0, 100.0)] * 10)
    assert framing.crop.side > 0.75 * 200 * CONTEXT
    framing = moved(framing, [(300.0, 100.0, 60.0, 100.0)] * 60)
    assert framing.crop.side == pytest.approx(100 * LEAST_CONTEXT, abs=2)


def test_small_objects_keep_some_surroundings():
    assert crop_of_box((10, 10, 3, 2), 2.0, 64).side == MIN_SIDE


def test_a_lost_objects_crop_grows_to_the_frame_and_no_further():
    framing = Framing.of_box((30, 30, 50, 50), 64)
    for _ in range(50):
        framing = framing.unseen(480, 640)
    assert framing.crop.side == 640
    assert framing.crop.center == (320, 240)


def test_a_lost_objects_crop_is_drawn_into_the_frame():
    crop = Framing.of_box((620, 460, 60, 60), 64).unseen(480, 640).crop
    assert crop.x + crop.side <= 641
    assert crop.y + crop.side <= 481


def test_a_lost_object_is_looked_for_along_its_path():
    boxes = [(400.0 + 20 * k, 500.0, 80.0, 80.0) for k in range(6)]
    framing = moved(Framing.of_box(boxes[0], 64), boxes[1:])
    centers = [framing.crop.center[0]]
    for _ in range(60):
        framing = framing.unseen(2000, 2000)
        centers.append(framing.crop.center[0])
    assert centers[5] > centers[0] + 50
    assert framing.velocity == pytest.approx((0, 0), abs=0.1)  # it does not run away


def test_an_object_that_is_found_again_is_looked_at_at_once():
    framing = moved(Framing.of_box((100, 100, 80, 80), 64), [(120.0, 100.0, 80.0, 80.0)] * 3).unseen(480, 640)
    found = framing.found((500, 300, 50, 30))
    assert found == Framing.of_box((500, 300, 50, 30), 64)


def test_what_is_found_in_its_place_keeps_its_size_though_less_is_seen():
    framing = Framing.of_box((100, 100, 80, 80), 64).unseen(480, 640)
    found = framing.found((110, 100, 60, 50))
    assert found.crop.side == pytest.approx(80 * CONTEXT, abs=4)
    assert np.allclose(found.crop.center, (140, 125), atol=1.5)
    assert framing.found((110, 100, 90, 50)) == Framing.of_box((110, 100, 90, 50), 64)
    small = (130, 130, 30, 20)
    assert framing.found(small) == Framing.of_box(small, 64)


def test_a_track_of_an_earlier_release_has_framings_without_surprise():
    framing = moved(Framing.of_box((100, 100, 80, 80), 64), [(160.0, 130.0, 80.0, 80.0)])
    text, arrays = pack_state(TrackerState({1: {"framing": framing}}, {}))
    read = json.loads(text)
    del read["objects"]["1"]["framing"]["fields"]["surprise"]
    older = unpack_state(json.dumps(read), arrays).objects[1]["framing"]
    assert older == replace(framing, surprise=FIRST_SURPRISE)
    assert unpack_state(text, arrays).objects[1]["framing"] == framing != older
