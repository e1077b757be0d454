"""Tracking with a network that tells whether what it marks is the object."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.frames import square_frame
from vosctl.engine import EngineInfo, Step
from vosctl.tracking import Tracker
from vosctl.tracking.arguments import masks_by_id
from vosctl.tracking.crop_follower import CropFollower
from vosctl.tracking.keeping import TrackerState
from vosctl.tracking.presence import LOST_BELOW, PATIENCE, TRIAL_BELOW
from vosctl.tracking.references import FirstReferences
from vosctl.tracking.search import MOST_VIEWS
from vosctl.tracks.states import pack_state, unpack_state

RED, BLUE, PINK = (230, 40, 40), (40, 40, 230), (230, 40, 140)
GREEN = (60, 90, 60)


class TellingEngine:
    """Marks whatever is not a background's dull colour, and tells whether it has the colour of the reference."""

    takes_float = False
    stride = 32
    crop_size = 96
    info = EngineInfo("fake", "telling", "telling", "cpu", "fp32")

    def __init__(self):
        self.guidance = []
        self.doubt = None

    def encode_reference(self, image, mask):
        return np.median(image[mask > 0.5], axis=0)

    def propagate(self, images, masks, states):
        self.guidance.append(masks.copy())
        marked = images.max(axis=-1) > 180
        told = [self._presence(image, one, colour) for image, one, colour in zip(images, marked, states, strict=True)]
        return Step(np.where(marked, np.float32(0.9), np.float32(0.02)), states, np.array(told, np.float32))

    def _presence(self, image, marked, colour):
        if self.doubt is not None:
            return self.doubt
        like = np.abs(image[marked] - colour).max(axis=-1) < 40 if marked.any() else np.zeros(1)
        return 0.95 if like.mean() > 0.8 else 0.02


@pytest.fixture
def engine():
    return TellingEngine()


@pytest.fixture
def tracker(engine):
    """Follows a red square for a few frames."""
    tracker = Tracker(engine)
    frame, labels = square_frame(240, 400, (1, RED, 60, 80, 40))
    tracker.start(frame, labels)
    for _ in range(3):
        tracker.step(frame)
    return tracker


def iou(one, other):
    return (one & other).sum() / max((one | other).sum(), 1)


def status(result):
    return result.objects[0].status


def elsewhere():
    """Another scene, all bright, with something in it."""
    return square_frame(240, 400, (1, BLUE, 100, 60, 120), background=(170, 170, 160))[0]


def test_a_cut_right_after_the_first_frame_is_one(engine):
    tracker = Tracker(engine)
    tracker.start(*square_frame(240, 400, (1, RED, 60, 80, 40)))
    frame, labels = square_frame(240, 400, (1, RED, 330, 180, 40), background=(170, 170, 160))
    result = tracker.step(frame)
    assert status(result) == "tracked"
    assert iou(result.labels == 1, labels == 1) > 0.8


def test_something_else_in_its_place_is_not_the_object(tracker):
    other, _ = square_frame(240, 400, (1, BLUE, 60, 80, 40))
    for _ in range(6):
        result = tracker.step(other)
        assert status(result) == "lost"
        assert not result.labels.any()


def test_what_is_not_the_object_guides_nothing(tracker, engine):
    """Once it is lost the guidance is empty, or the object's own mask from before, in its place."""
    own = engine.guidance[-1].sum()
    large, _ = square_frame(240, 400, (1, BLUE, 40, 60, 110))
    tracker.step(large)
    engine.guidance.clear()
    for _ in range(6):
        tracker.step(large)
    given = [mask.sum() / own for masks in engine.guidance for mask in masks]
    assert any(share == 0 for share in given)
    assert all(share == 0 or share == pytest.approx(1, abs=0.2) for share in given), given


def test_many_objects_that_are_lost_are_looked_for_in_parts(engine):
    """The largest batch has an end; what is found is the same as in one batch."""
    colours = [(200 + 5 * number, 40 * (number % 4), 30 * (number // 4)) for number in range(10)]
    squares = [(number + 1, colour, 38 * number, 30 + 12 * number, 28) for number, colour in enumerate(colours)]
    frame, labels = square_frame(240, 400, *squares)
    found = []
    for most in (MOST_VIEWS, 1000):
        engine.guidance.clear()
        follower = CropFollower(engine, 240, 400, 96, FirstReferences(engine, 1, {}), most_views=most)
        follower.add(frame, masks_by_id(labels))
        results = [follower.step(shown) for shown in (frame, elsewhere(), elsewhere(), frame, frame)]
        found.append((results, max(len(masks) for masks in engine.guidance)))
    (parts, most_in_parts), (whole, most_at_once) = found
    assert most_in_parts <= 2 * MOST_VIEWS < most_at_once
    assert any(one.status == "lost" for one in parts[1].objects)
    for one, other in zip(parts, whole, strict=True):
        assert np.array_equal(one.labels, other.labels)
        assert one.objects == other.objects


def test_after_a_cut_and_back_it_is_found_in_the_first_frame(tracker):
    frame, labels = square_frame(240, 400, (1, RED, 60, 80, 40))
    for _ in range(5):
        assert status(tracker.step(elsewhere())) == "lost"
    result = tracker.step(frame)
    assert status(result) == "tracked"
    assert iou(result.labels == 1, labels == 1) > 0.85


def test_a_mask_given_in_the_frame_of_a_cut_is_followed_as_any_other(tracker, engine):
    """The frame after it is no cut: a presence that is enough elsewhere is enough there."""
    given, labels = square_frame(240, 400, (1, RED, 200, 60, 60), background=(170, 170, 160))
    tracker.step(given, labels)
    engine.doubt = 0.6
    assert status(tracker.step(given)) == "tracked"
    engine.doubt = None
    assert iou(tracker.step(given).labels == 1, labels == 1) > 0.8


def test_after_black_frames_it_is_found_in_the_first_frame(tracker):
    frame, labels = square_frame(240, 400, (1, RED, 60, 80, 40), background=(90, 120, 90))
    tracker.step(frame)
    for _ in range(5):
        assert status(tracker.step(np.zeros_like(frame))) == "lost"
    result = tracker.step(frame)
    assert status(result) == "tracked"
    assert iou(result.labels == 1, labels == 1) > 0.85


@pytest.mark.parametrize(("x", "y", "side"), [(330, 180, 40), (10, 10, 14), (150, 40, 150)])
def test_a_cut_to_another_view_of_it_is_followed_at_once(tracker, x, y, side):
    """Farther, nearer or somewhere else: the whole frame is searched at more than one scale."""
    frame, labels = square_frame(240, 400, (1, RED, x, y, side), background=(170, 170, 160))
    result = tracker.step(frame)
    assert status(result) == "tracked"
    assert iou(result.labels == 1, labels == 1) > 0.7
    assert iou(tracker.step(frame).labels == 1, labels == 1) > 0.8


def test_in_its_place_it_is_found_while_the_search_has_widened(tracker):
    """Something passes in front of all of it; nothing else in the picture changes."""
    hidden, _ = square_frame(240, 400)
    for _ in range(9):
        assert status(tracker.step(hidden)) == "lost"
    frame, labels = square_frame(240, 400, (1, RED, 60, 80, 40))
    results = [tracker.step(frame) for _ in range(2)]
    assert status(results[-1]) == "tracked"
    assert iou(results[-1].labels == 1, labels == 1) > 0.85


class FadingEngine(TellingEngine):
    """Knows an object by its colour, the worse the farther it is from the reference's."""

    def _presence(self, image, marked, colour):
        if not marked.any():
            return 0.02
        return float(np.clip(1 - np.abs(np.median(image[marked], axis=0) - colour).max() / 150, 0.02, 0.98))


def test_in_its_place_it_is_known_by_how_it_last_looked():
    """It has changed its colour bit by bit: its reference tells little of it, how it was before the cut does."""
    engine = FadingEngine()
    tracker = Tracker(engine)
    frame, labels = square_frame(240, 400, (1, RED, 60, 80, 40))
    tracker.start(frame, labels)
    for blue in range(40, 101, 2):
        changed, _ = square_frame(240, 400, (1, (230, 40, blue), 60, 80, 40))
        assert status(tracker.step(changed)) == "tracked"
    for _ in range(4):
        assert status(tracker.step(np.zeros_like(frame))) == "lost"
    result = tracker.step(square_frame(240, 400, (1, (230, 40, 110), 60, 80, 40))[0])
    assert status(result) == "tracked"
    assert iou(result.labels == 1, labels == 1) > 0.85


def test_a_moment_of_doubt_loses_nothing_but_shows_in_the_score(tracker, engine):
    frame, _ = square_frame(240, 400, (1, RED, 60, 80, 40))
    sure = tracker.step(frame).objects[0].score
    engine.doubt = LOST_BELOW - 0.01
    for _ in range(PATIENCE - 1):
        result = tracker.step(frame)
        assert status(result) == "tracked"
        assert result.objects[0].score == pytest.approx(0.9 * engine.doubt, abs=0.02)
        assert result.objects[0].score < 0.5 * sure
    assert status(tracker.step(frame)) == "lost"
    engine.doubt = None
    assert "tracked" in {status(tracker.step(frame)) for _ in range(2)}


def test_what_one_object_is_mistaken_for_is_not_taken_from_another(engine):
    tracker = Tracker(engine)
    tracker.start(*square_frame(240, 400, (1, RED, 60, 80, 40), (2, BLUE, 140, 80, 40)))
    alone, labels = square_frame(240, 400, (2, BLUE, 140, 80, 40))
    for _ in range(8):
        result = tracker.step(alone)
        assert [one.status for one in result.objects] == ["lost", "tracked"]
        assert iou(result.labels == 2, labels == 2) > 0.85


def test_the_state_of_a_lost_object_does_not_grow(tracker, engine):
    import tracemalloc

    def run(steps):
        for step in range(steps):
            tracker.step(elsewhere() if step % 7 else np.zeros((240, 400, 3), np.uint8))
            engine.guidance.clear()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    before = run(20)
    grown = run(60) - before
    tracemalloc.stop()
    assert grown < 100_000


SUNNY = (170, 140, 160)


class ShapeEngine(TellingEngine):
    """Takes whatever is bright for the object: it knows a kind of things, not one of them."""

    def _presence(self, image, marked, colour):
        return 0.9 if marked.any() else 0.02


def lose(tracker, frame):
    for _ in range(2):
        assert status(tracker.step(np.zeros_like(frame))) == "lost"


def started_with_shapes():
    tracker = Tracker(ShapeEngine())
    frame, labels = square_frame(240, 400, (1, RED, 60, 80, 60))
    tracker.start(frame, labels)
    for _ in range(3):
        assert status(tracker.step(frame)) == "tracked"
    return tracker, frame, labels


@pytest.mark.parametrize("lost", [True, False], ids=["lost before", "in the frame of a cut"])
def test_another_of_its_kind_is_not_taken_for_it(lost):
    tracker, frame, labels = started_with_shapes()
    if lost:
        lose(tracker, frame)
    another, _ = square_frame(240, 400, (1, BLUE, 60, 80, 60), background=SUNNY)
    for _ in range(8):
        assert status(tracker.step(another)) == "lost"
    result = tracker.step(frame)
    assert status(result) == "tracked"
    assert iou(result.labels == 1, labels == 1) > 0.85


def test_in_the_frame_of_a_cut_it_is_known_by_its_colours():
    tracker, _, _ = started_with_shapes()
    again, labels = square_frame(240, 400, (1, RED, 200, 100, 60), background=SUNNY)
    result = tracker.step(again)
    assert status(result) == "tracked"
    assert iou(result.labels == 1, labels == 1) > 0.85


class HastyEngine(TellingEngine):
    """Is sure of whatever it sees, until it is shown where that is."""

    def propagate(self, images, masks, states):
        step = super().propagate(images, masks, states)
        guided = masks.reshape(len(masks), -1).any(axis=1)
        return replace(step, presence=np.where(guided, step.presence, np.float32(0.95)))


def test_what_is_found_anywhere_is_looked_at_once_more(engine):
    tracker = Tracker(HastyEngine())
    tracker.start(*square_frame(240, 400, (1, RED, 60, 80, 40)))
    for _ in range(6):
        assert status(tracker.step(square_frame(240, 400, (1, BLUE, 140, 80, 60))[0])) == "lost"
    frame, labels = square_frame(240, 400, (1, RED, 140, 80, 60))
    result = [tracker.step(frame) for _ in range(2)][-1]
    assert status(result) == "tracked"
    assert iou(result.labels == 1, labels == 1) > 0.85


def test_what_is_found_in_another_scene_is_on_trial(tracker, engine):
    again, _ = square_frame(240, 400, (1, RED, 60, 80, 40), background=SUNNY)
    assert status(tracker.step(again)) == "tracked"
    engine.doubt = TRIAL_BELOW - 0.01
    assert status(tracker.step(again)) == "lost"


def test_colours_are_not_asked_for_while_it_is_followed():
    tracker, _, _ = started_with_shapes()
    another, another_labels = square_frame(240, 400, (1, BLUE, 60, 80, 60))
    for _ in range(4):
        result = tracker.step(another)
        assert status(result) == "tracked"
    assert iou(result.labels == 1, another_labels == 1) > 0.85


def test_a_new_reference_has_new_colours():
    tracker, frame, _ = started_with_shapes()
    another, labels = square_frame(240, 400, (1, BLUE, 60, 80, 60))
    tracker.step(another, labels)
    lose(tracker, frame)
    red, _ = square_frame(240, 400, (1, RED, 60, 80, 60), background=SUNNY)
    assert status(tracker.step(red)) == "lost"
    assert status(tracker.step(another)) == "tracked"


def test_each_of_several_objects_has_its_own_colours():
    tracker = Tracker(ShapeEngine())
    frame, labels = square_frame(240, 400, (1, RED, 20, 80, 60), (2, BLUE, 260, 80, 60))
    swapped, _ = square_frame(240, 400, (1, BLUE, 20, 80, 60), (2, RED, 260, 80, 60), background=SUNNY)
    tracker.start(frame, labels)
    for shown in (frame, np.zeros_like(frame), np.zeros_like(frame), np.zeros_like(frame)):
        tracker.step(shown)
    crossed = tracker.step(swapped).labels
    assert not (crossed[labels == 1] == 1).any()
    assert not (crossed[labels == 2] == 2).any()
    assert [one.status for one in tracker.step(frame).objects] == ["tracked", "tracked"]


@pytest.mark.parametrize("known", [True, False])
def test_colours_are_kept_in_a_state_and_one_without_them_goes_on_without(known):
    tracker = Tracker(ShapeEngine())
    tracker.resumable = True
    frame, labels = square_frame(240, 400, (1, RED, 60, 80, 60))
    tracker.start(frame, labels)
    tracker.step(frame)
    lose(tracker, frame)
    state = unpack_state(*pack_state(tracker.keep()))
    if not known:
        left = {name: value for name, value in state.objects[1].items() if name not in ("colours", "scene")}
        more = {name: value for name, value in state.more.items() if name in ("scene", "search_frames")}
        state = TrackerState({1: left}, more)
    resumed = Tracker(ShapeEngine())
    resumed.restore(state, 240, 400)
    another, _ = square_frame(240, 400, (1, BLUE, 60, 80, 60), background=SUNNY)
    assert status(resumed.step(another)) == ("lost" if known else "tracked")
