"""The first reference of an object beside its latest one."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.frames import square_frame
from vosctl.engine import EngineInfo, Step
from vosctl.errors import UsageError
from vosctl.tracking import Tracker, TrackingSettings
from vosctl.tracking.keeping import STATE_INTERVAL
from vosctl.tracks.states import pack_state, unpack_state

RED, BLUE, GREEN = (230, 40, 40), (40, 40, 230), (40, 230, 40)
GREY = (130, 130, 130)


class ColourEngine:
    """Finds the colours of an object's references, wherever they are.

    Args:
        agrees: whether a later reference finds in an earlier one's image what was marked there; None for what it finds.
        one_reference: why it reads one only.
    """

    takes_float = False
    stride = 32
    crop_size = 96
    info = EngineInfo("fake", "colours", "colours", "cpu", "fp32")

    def __init__(self, agrees=None, one_reference=""):
        self.agrees, self.one_reference = agrees, one_reference
        self.encoded, self.read = [], []

    def encode_reference(self, image, mask):
        self.encoded.append((image, mask))
        colours, counts = np.unique(image[mask > 0.9] // 64, axis=0, return_counts=True)
        return (colours[counts > 0.05 * counts.sum()],)

    def join_references(self, first, second):
        assert len(first) == len(second) == 1, "of two that are single"
        return (*first, *second)

    def propagate(self, images, masks, states):
        if self.agrees is not None and not masks.any():
            mask = next(mask for image, mask in self.encoded if np.array_equal(image, images[0]))
            return Step(mask[None] if self.agrees else 1 - mask[None], tuple(states))
        self.read.append([len(state) for state in states])
        found = [
            (image[:, :, None] // 64 == np.concatenate(state)).all(axis=-1).any(axis=-1)
            for image, state in zip(images, states, strict=True)
        ]
        return Step(np.where(np.stack(found), np.float32(0.95), np.float32(0.02)), tuple(states))


def two_tone(x, front=RED, back=BLUE):
    """An object of two colours side by side, of which the network takes the one that it was shown."""
    return square_frame(120, 200, (1, front, x, 40, 30), (2, back, x + 30, 40, 30))


def seen(labels, truth, ids):
    found, wanted = labels == 1, np.isin(truth, ids)
    return (found & wanted).sum() / (found | wanted).sum()


@pytest.fixture
def engine():
    return ColourEngine()


@pytest.fixture
def tracker(engine):
    return Tracker(engine)


def correct(tracker, how, frame, mask):
    if how == "step":
        return tracker.step(frame, mask.astype(np.uint8))
    tracker.step(frame)
    return tracker.add(frame, mask, 1)


def turned(tracker, how="step"):
    """Follow a red square that has turned green, which a correction says; both colours are seen afterwards."""
    frame, labels = square_frame(120, 200, (1, RED, 40, 40, 30))
    tracker.start(frame, labels)
    tracker.step(frame)
    frame, labels = square_frame(120, 200, (1, GREEN, 44, 40, 30))
    correct(tracker, how, frame, labels == 1)


@pytest.mark.parametrize("how", ["step", "add"])
def test_a_correction_leaves_the_first_reference_beside_it(how):
    tracker = Tracker(ColourEngine(True))
    turned(tracker, how)
    for colour in (RED, GREEN):
        frame, labels = square_frame(120, 200, (1, colour, 46, 40, 30))
        assert seen(tracker.step(frame).labels, labels, [1]) > 0.9
    assert tracker.references == {1: 2}


@pytest.mark.parametrize("how", ["step", "add"])
def test_a_first_reference_that_was_wrong_goes(tracker, how):
    """Of what was marked first the correction shows the one half only."""
    frame, labels = two_tone(40)
    tracker.start(frame, labels > 0)
    tracker.step(frame)
    frame, labels = two_tone(44)
    correct(tracker, how, frame, labels == 1)
    frame, labels = two_tone(46)
    result = tracker.step(frame)
    assert seen(result.labels, labels, [1]) > 0.9
    assert tracker.references == {1: 1}


def test_there_are_two_at_the_most_however_often_it_is_corrected():
    engine = ColourEngine(True)
    tracker = Tracker(engine)
    frame, labels = square_frame(120, 200, (1, RED, 40, 40, 30))
    tracker.start(frame, labels)
    for colour in (GREEN, BLUE, GREEN, BLUE):
        frame, labels = square_frame(120, 200, (1, colour, 40, 40, 30))
        tracker.step(frame, labels)
        assert tracker.references == {1: 2}
    for colour, found in ((RED, True), (BLUE, True), (GREEN, False)):
        frame, labels = square_frame(120, 200, (1, colour, 40, 40, 30))
        assert (seen(tracker.step(frame).labels, labels, [1]) > 0.9) == found, colour


def test_a_mask_for_the_frame_of_the_first_one_takes_its_place(tracker):
    frame, labels = two_tone(40)
    tracker.start(frame, labels > 0)
    tracker.add(frame, labels == 1, 1)
    assert tracker.references == {1: 1}
    frame, labels = two_tone(44, back=GREEN)
    tracker.step(frame, (labels == 1).astype(np.uint8))
    assert tracker.references == {1: 2}, "the first is the one that was right"
    assert seen(tracker.step(frame).labels, labels, [1]) > 0.9


def test_a_mask_for_the_frame_of_a_correction_takes_the_corrections_place():
    tracker = Tracker(ColourEngine(True))
    turned(tracker)
    frame, labels = square_frame(120, 200, (1, BLUE, 44, 40, 30))
    tracker.add(frame, labels == 1, 1)
    for colour, found in ((RED, True), (BLUE, True), (GREEN, False)):
        frame, labels = square_frame(120, 200, (1, colour, 44, 40, 30))
        assert (seen(tracker.step(frame).labels, labels, [1]) > 0.9) == found, colour


def test_an_object_that_was_removed_is_another_when_it_comes_again(tracker):
    frame, labels = square_frame(120, 200, (1, RED, 40, 40, 30))
    tracker.start(frame, labels)
    tracker.step(frame)
    tracker.remove(1)
    tracker.add(frame, labels == 1, 1)
    assert tracker.references == {1: 1}


@pytest.mark.parametrize(
    ("engine", "settings"),
    [
        (ColourEngine(True, "it has no room"), TrackingSettings()),
        (ColourEngine(True), TrackingSettings(references=1)),
        (ColourEngine(True), TrackingSettings(window=False)),
    ],
    ids=["an engine that reads one", "one asked for", "full frame"],
)
def test_where_one_is_read_a_correction_takes_its_place(engine, settings):
    tracker = Tracker(engine, settings)
    turned(tracker)
    for colour, found in ((GREEN, True), (RED, False)):
        frame, _ = square_frame(120, 200, (1, colour, 44, 40, 30))
        assert (tracker.step(frame).find(1).status == "tracked") == found
    assert {count for counts in engine.read for count in counts} == {1}
    assert tracker.references == {1: 1}


def test_two_objects_one_of_which_was_corrected(engine):
    tracker = Tracker(engine)
    squares = [(1, RED, 20, 40, 30), (2, BLUE, 120, 40, 30)]
    frame, labels = square_frame(120, 200, *squares)
    tracker.start(frame, labels)
    frame, labels = square_frame(120, 200, squares[0], (2, BLUE, 118, 44, 32))
    tracker.step(frame, np.where(labels == 2, labels, 0))
    engine.read.clear()
    result = tracker.step(frame)
    np.testing.assert_array_equal(result.labels, labels)
    assert engine.read == [[1, 2]]
    assert tracker.references == {1: 1, 2: 2}


def test_who_loses_pixels_to_another_is_shown_by_what_is_left_alone(tracker):
    """Its first reference shows them as its own."""
    frame, labels = two_tone(20)
    tracker.start(frame, labels > 0)
    tracker.step(frame)
    tracker.add(frame, labels == 2, 2)
    assert tracker.references == {1: 1, 2: 1}
    for step in range(1, 4):
        frame, labels = two_tone(20 + 5 * step)
        result = tracker.step(frame)
        assert (result.labels == labels).mean() > 0.97


def test_a_reference_that_is_shown_is_the_first_one():
    tracker = Tracker(ColourEngine(True))
    frame, labels = square_frame(120, 200, (1, RED, 40, 40, 30))
    tracker.show(frame, labels, 1)
    green, there = square_frame(120, 200, (1, GREEN, 44, 40, 30))
    tracker.start(green, there)
    assert tracker.references == {1: 2}
    assert seen(tracker.step(frame).labels, labels, [1]) > 0.9
    tracker.start(frame, labels)
    assert tracker.references == {1: 1}, "it is the same one"
    with pytest.raises(UsageError, match="`mask`: is empty"):
        tracker.show(frame, np.zeros_like(labels), 1)
    with pytest.raises(UsageError, match="`object_id=0`"):
        tracker.show(frame, labels, 0)


@pytest.mark.parametrize("agrees", [True, False], ids=["both", "the first one was wrong"])
def test_what_goes_on_from_a_state_goes_on_with_the_same_references(agrees):
    def frames(start, count):
        for index in range(start, start + count):
            yield square_frame(120, 200, (1, RED if index % 3 else GREEN, 20 + index, 40, 30))

    def go_on(tracker):
        results = [tracker.step(frame) for frame, _ in frames(STATE_INTERVAL + 2, 6)]
        results.append(tracker.step(*square_frame(120, 200, (1, BLUE, 60, 40, 30))))
        return results + [tracker.step(frame) for frame, _ in frames(STATE_INTERVAL + 9, 6)]

    tracker = Tracker(ColourEngine(agrees))
    tracker.resumable = True
    tracker.start(*next(frames(1, 1)))
    tracker.step(*square_frame(120, 200, (1, GREEN, 22, 40, 30)))
    assert tracker.references == {1: 2 if agrees else 1}
    results = [tracker.step(frame) for frame, _ in frames(2, STATE_INTERVAL)]
    again = Tracker(ColourEngine(agrees))
    again.restore(unpack_state(*pack_state(results[-1].state)), 120, 200)
    assert again.references == tracker.references
    for one, other in zip(go_on(tracker), go_on(again), strict=True):
        np.testing.assert_array_equal(one.alpha, other.alpha)
        np.testing.assert_array_equal(one.labels, other.labels)
    assert again.references == tracker.references


def test_a_state_of_two_is_not_gone_on_with_where_one_is_read():
    tracker = Tracker(ColourEngine(True))
    tracker.resumable = True
    turned(tracker)
    kept = tracker.keep()
    with pytest.raises(ValueError, match="two references, and one is read"):
        Tracker(ColourEngine(True, "it has no room")).restore(kept, 120, 200)


def test_a_state_of_an_earlier_release():
    tracker = Tracker(ColourEngine(True), TrackingSettings(references=1))
    tracker.resumable = True
    frame, labels = square_frame(120, 200, (1, RED, 40, 40, 30))
    tracker.start(frame, labels)
    kept = tracker.keep()
    objects = {
        key: {name: value for name, value in values.items() if name not in ("first", "joined")}
        for key, values in kept.objects.items()
    }
    again = Tracker(ColourEngine(True))
    again.restore(replace(kept, objects=objects), 120, 200)
    assert seen(again.step(frame).labels, labels, [1]) > 0.9


def test_how_many_can_be_asked_for():
    with pytest.raises(UsageError, match="`references=3`: give 1 or 2"):
        TrackingSettings(references=3)  # type: ignore[arg-type]
