"""Masks that come later: objects added, corrected and put in another's place, on both ways of following."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.helpers.bright_network import bright_torch_engine
from tests.helpers.frames import square_frame
from vosctl.engine import EngineInfo, Step
from vosctl.errors import UsageError
from vosctl.tracking import Tracker, TrackingSettings

RED, BLUE, GREEN = (230, 40, 40), (40, 40, 230), (40, 230, 40)


class GuidedEngine:
    """Finds the colours of an object's reference near its guidance mask, or anywhere when that is empty.

    Args:
        reach: pixels from the guidance mask at which it still finds something.
    """

    takes_float = False
    stride = 32
    crop_size = 96
    info = EngineInfo("fake", "guided", "guided", "cpu", "fp32")

    def __init__(self, reach=40):
        self.near = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        self.references = 0

    def encode_reference(self, image, mask):
        self.references += 1
        colours, counts = np.unique(image[mask > 0.9] // 64, axis=0, return_counts=True)
        return colours[counts > 0.05 * counts.sum()]

    def propagate(self, images, masks, states):
        found = []
        for image, mask, colours in zip(images, masks, states, strict=True):
            same = (image[:, :, None] // 64 == colours).all(axis=-1).any(axis=-1)
            guide = (mask > 0.5).astype(np.uint8)
            found.append(same & (cv2.dilate(guide, self.near) > 0) if guide.any() else same)
        return Step(np.where(np.stack(found), np.float32(0.95), np.float32(0.02)), tuple(states))


def iou(one, other):
    return (one & other).sum() / max((one | other).sum(), 1)


def pair(x, y=40):
    """A red and a blue square side by side, moved to a place."""
    return square_frame(120, 200, (1, RED, x, y, 30), (2, BLUE, x + 30, y, 30))


@pytest.fixture(params=["crop", "full frame"])
def settings(request):
    return TrackingSettings(window=request.param == "crop")


@pytest.fixture
def tracker(settings):
    return Tracker(GuidedEngine(), settings)


def statuses(result):
    return {one.id: one.status for one in result.objects}


@pytest.mark.parametrize("frames_before", [0, 3])
def test_an_object_put_in_anothers_place_is_followed_in_its_stead(tracker, frames_before):
    """Before, each took half of every pixel's probability, and both were lost for ever."""
    frame, labels = square_frame(120, 200, (1, RED, 20, 40, 30))
    tracker.start(frame, labels)
    for _ in range(frames_before):
        tracker.step(frame)
    result = tracker.add(frame, labels > 0, 2)
    assert statuses(result) == {1: "lost", 2: "tracked"}
    np.testing.assert_array_equal(result.labels, 2 * labels)
    for step in range(1, 8):
        frame, labels = square_frame(120, 200, (1, RED, 20 + 4 * step, 40, 30))
        result = tracker.step(frame)
        assert statuses(result) == {1: "lost", 2: "tracked"}
        assert iou(result.labels == 2, labels == 1) > 0.9
    tracker.remove(2)  # and the first one is found again
    for _ in range(4):
        result = tracker.step(frame)
    assert statuses(result) == {1: "tracked"}
    assert iou(result.labels == 1, labels == 1) > 0.9


@pytest.mark.parametrize("frames_before", [0, 3])
def test_a_part_that_becomes_an_object_of_its_own_is_let_go(tracker, frames_before):
    """The reference shows red and blue; once blue is another object, neither is halved."""
    frame, labels = pair(20)
    tracker.start(frame, labels > 0)
    for _ in range(frames_before):
        tracker.step(frame)
    result = tracker.add(frame, labels == 2, 2)
    assert iou(result.labels == 1, labels == 1) > 0.9
    np.testing.assert_array_equal(result.labels == 2, labels == 2)
    for step in range(1, 8):
        frame, labels = pair(20 + 5 * step)
        result = tracker.step(frame)
        for object_id in (1, 2):
            assert iou(result.labels == object_id, labels == object_id) > 0.85, (step, object_id)


def test_who_does_not_claim_the_pixels_back_keeps_the_reference(settings):
    """A correction reaches a little into a neighbour: what the user marked in the first frame still shows it best."""
    engine = GuidedEngine(reach=2)
    tracker = Tracker(engine, settings)
    frame, labels = square_frame(120, 200, (1, RED, 20, 40, 40), (2, BLUE, 60, 40, 40))
    tracker.start(frame, labels)
    tracker.step(frame)
    mask = labels == 2
    mask[40:80, 45:60] = True
    references = engine.references
    result = tracker.add(frame, mask, 2)
    assert engine.references == references + 1
    assert result.labels[60, 50] == 2
    areas = {one.id: one.area for one in result.objects}
    assert areas == {number: np.count_nonzero(result.labels == number) for number in (1, 2)}


def test_the_guidance_of_the_next_frame_is_without_what_was_taken(settings):
    engine = GuidedEngine(reach=2)
    tracker = Tracker(engine, settings)
    frame, labels = square_frame(120, 200, (1, RED, 20, 40, 40))
    tracker.start(frame, labels)
    tracker.step(frame)
    mask = np.zeros(labels.shape, bool)
    mask[40:80, 45:60] = True
    tracker.add(frame, mask, 2)
    result = tracker.step(frame)
    assert result.labels[60, 30] == 1
    assert result.labels[60, 52] == 2


def test_several_corrections_of_one_frame(tracker):
    """Two objects have changed places; each correction takes the other's pixels, the second one gives them back."""
    frame, labels = square_frame(120, 200, (1, RED, 20, 40, 30), (2, BLUE, 120, 40, 30))
    tracker.start(frame, 3 - labels - 3 * (labels == 0))
    tracker.step(frame)
    tracker.add(frame, labels == 1, 1)
    result = tracker.add(frame, labels == 2, 2)
    np.testing.assert_array_equal(result.labels, labels)
    for _ in range(3):
        result = tracker.step(frame)
        assert iou(result.labels == 1, labels == 1) > 0.9
        assert iou(result.labels == 2, labels == 2) > 0.9


def test_a_mask_that_comes_with_a_frame_adds_and_corrects_there(tracker):
    frame, labels = square_frame(120, 200, (1, RED, 20, 40, 30), (2, GREEN, 80, 40, 30))
    tracker.start(frame, labels)
    frame, labels = square_frame(120, 200, (1, RED, 24, 40, 30), (2, GREEN, 84, 40, 30), (3, BLUE, 140, 60, 30))
    given = np.where(labels == 1, 0, labels)
    given[:20, :20] = 2
    result = tracker.step(frame, given)
    assert statuses(result) == {1: "tracked", 2: "tracked", 3: "tracked"}
    np.testing.assert_array_equal(result.labels[given > 0], given[given > 0])
    assert (result.alpha[given > 0] == 255).all()
    assert iou(result.labels == 1, labels == 1) > 0.9
    assert tracker.objects == (1, 2, 3)
    result = tracker.step(frame)
    for object_id in (1, 3):
        assert iou(result.labels == object_id, labels == object_id) > 0.9


def test_only_the_objects_asked_for_are_taken_from_a_mask(tracker):
    frame, labels = square_frame(120, 200, (1, RED, 20, 40, 30), (2, BLUE, 120, 40, 30))
    tracker.start(frame, np.where(labels == 1, labels, 0))
    other = np.where(labels == 2, labels, 0)
    other[100:, :40] = 1
    result = tracker.step(frame, other, objects=[2])
    assert statuses(result) == {1: "tracked", 2: "tracked"}
    assert iou(result.labels == 1, labels == 1) > 0.9
    assert not result.labels[100:, :40].any()


def test_the_result_is_what_was_last_corrected(tracker):
    frame, labels = square_frame(120, 200, (1, RED, 20, 40, 30), (2, BLUE, 120, 40, 30))
    tracker.start(frame, np.where(labels == 1, labels, 0))
    tracker.step(frame)
    assert set(np.unique(tracker.add(frame, labels == 2, 2).labels)) == {0, 1, 2}
    result = tracker.remove(1)
    assert set(np.unique(result.labels)) == {0, 2}
    assert [one.id for one in result.objects] == [2]
    with pytest.raises(UsageError, match="`object_id=1`: is not followed; the objects followed are: 2"):
        tracker.remove(1)


@pytest.mark.parametrize("way", ["step", "add"])
def test_what_is_said_of_an_object_that_is_lost_stays_when_another_is_corrected(way):
    tracker = Tracker(bright_torch_engine(tells_presence=True))
    both, labels = square_frame(96, 160, (1, RED, 20, 30, 30), (2, BLUE, 100, 40, 24))
    one, mask = square_frame(96, 160, (1, RED, 20, 30, 30))
    tracker.start(both, labels)
    result = tracker.step(one)
    lost = result.find(2)
    assert lost is not None
    assert (lost.status, lost.presence) == ("lost", 0.0)
    corrected = tracker.add(one, mask, 1) if way == "add" else tracker.step(one, mask)
    assert corrected.find(2) == lost
