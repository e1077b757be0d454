"""Masks are averaged through time along the motion of the picture, and nothing but what is given out changes by it."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from tests.helpers.engines import BrightObjectEngine
from tests.helpers.frames import square_frame
from vosctl import Tracker, TrackingSettings
from vosctl.engine import Step
from vosctl.errors import UsageError
from vosctl.tracking.smoothing import LARGEST_SHARE, Shown, smoothed

SIZE = 160
RED, BLUE = (230, 40, 40), (40, 40, 230)


def texture(seed=0, size=SIZE):
    noise = np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.5), None, 0, 255, cv2.NORM_MINMAX)


def square(left, top, side=50, value=0.95, size=SIZE):
    probability = np.full((size, size), 0.01, np.float32)
    probability[top : top + side, left : left + side] = value
    return probability


def iou(one, other):
    return (one & other).sum() / max((one | other).sum(), 1)


def test_a_part_that_comes_and_goes_in_a_still_picture_stays():
    picture, whole = texture(), square(50, 50)
    holed = whole.copy()
    holed[60:70, 60:70] = 0.4
    shown = smoothed(picture, whole, None)
    for probability in (holed, whole, holed):
        shown = smoothed(picture, probability, shown)
        np.testing.assert_array_equal(shown.probability > 0.5, whole > 0.5)
    middle = shown.probability[62:68, 62:68]
    assert (middle < 0.95).all(), "it is an average of both"


def test_a_part_that_stays_away_goes():
    picture, whole = texture(), square(50, 50)
    less = square(50, 50, 30)
    shown = smoothed(picture, whole, None)
    for _ in range(4):
        shown = smoothed(picture, less, shown)
    np.testing.assert_array_equal(shown.probability > 0.5, less > 0.5)


@pytest.mark.parametrize(("right", "down"), [(3, 0), (-5, 2), (6, 6)])
def test_the_mask_goes_along_with_what_moves(right, down):
    background, object_ = texture(1), texture(2)
    shown = None
    for number in range(6):
        left, top = 50 + right * number, 50 + down * number
        picture = background.copy()
        picture[top : top + 50, left : left + 50] = object_[:50, :50]
        probability = square(left, top)
        hole = probability[top + 20 : top + 30, left + 20 : left + 30]
        hole[...] = 0.4 if number % 2 else 0.95  # what comes and goes lies on the object
        shown = smoothed(picture, probability, shown)
        assert iou(shown.probability > 0.5, square(left, top) > 0.5) > 0.9
    inside = shown.probability[top + 22 : top + 28, left + 22 : left + 28]
    assert (inside > 0.5).all()


def test_what_moves_fast_is_taken_over_less():
    picture, whole, holed = texture(), square(60, 60), square(60, 60)
    holed[75:95, 75:95] = 0.4
    shares = []
    for move in (0, 6, 12):
        before = smoothed(np.roll(picture, -move, axis=1), np.roll(whole, -move, axis=1), None)
        shares.append((smoothed(picture, holed, before).probability[80:90, 80:90].mean() - 0.4) / 0.55)
    assert shares[0] == pytest.approx(LARGEST_SHARE, abs=0.01)
    assert 0.8 * shares[0] > shares[1] > 1.5 * shares[2] > 0


def test_nothing_is_taken_over_from_another_picture():
    before = smoothed(texture(1), square(40, 40), None)
    found = square(60, 60)
    shown = smoothed(255 - texture(2) // 2, found, before)
    assert iou(shown.probability > 0.5, found > 0.5) > 0.97
    assert np.abs(shown.probability - found).mean() < 0.05


def test_without_a_frame_before_the_mask_is_the_networks():
    probability = square(50, 50)
    shown = smoothed(texture(), probability, None)
    np.testing.assert_array_equal(shown.probability, probability)
    assert shown.luma.shape == (SIZE, SIZE)


def test_the_share_of_what_was_before_is_bounded():
    picture, probability, less = texture(), square(50, 50, value=0.9), square(50, 50, value=0.9)
    less[60:90, 60:90] = 0.1
    shown = smoothed(picture, probability, smoothed(picture, less, None))
    np.testing.assert_allclose(shown.probability[70:80, 70:80], 0.9 - LARGEST_SHARE * 0.8, atol=0.001)
    np.testing.assert_array_equal(probability, square(50, 50, value=0.9))  # what was given in is left as it was


def test_what_is_seen_is_not_averaged_away():
    picture, nothing = texture(), square(50, 50, value=0.02)
    found = square(70, 70, 6, value=0.9)
    shown = smoothed(picture, found, smoothed(picture, nothing, None))
    np.testing.assert_array_equal(shown.probability, found)


def test_where_nothing_is_touched_nothing_changes():
    nothing = np.zeros((SIZE, SIZE), np.float32)
    before = smoothed(texture(), nothing, None)
    np.testing.assert_array_equal(smoothed(texture(), nothing, before).probability, nothing)


@pytest.mark.parametrize("size", [32, 64, 96, 224, 512])
@pytest.mark.parametrize("corner", ["first", "last"])
def test_crops_of_any_size_and_objects_at_their_edges(size, corner):
    place = 0 if corner == "first" else size - 4
    picture, probability = texture(size=size), square(place, place, 4, size=size)
    shown = None
    for _ in range(3):
        shown = smoothed(picture, probability, shown)
        assert shown.probability.shape == (size, size)
        np.testing.assert_array_equal(shown.probability > 0.5, probability > 0.5)


def test_what_was_smoothed_before_changes_nothing():
    """A small image changes the settings of OpenCV's flow, for all that come after it too."""
    made = []
    for number, size in enumerate(range(224, 31, -8)):
        faint = texture(number, size) // 8  # no difference is large enough for the masks not to be averaged
        soft = texture(number + 100, size)[..., 0].astype(np.float32) / 255
        made.append((np.roll(faint, (2, 3), (0, 1)), soft, smoothed(faint, soft[::-1].copy(), None)))
    once = [smoothed(*arguments).probability for arguments in made]
    again = [smoothed(*arguments).probability for arguments in reversed(made)]
    for one, other in zip(once, reversed(again), strict=True):
        np.testing.assert_array_equal(one, other)


class UnsureEngine(BrightObjectEngine):
    """Loses the middle of what it finds in every other frame."""

    def __init__(self):
        super().__init__()
        self.guidance = []

    def propagate(self, images, masks, states):
        self.guidance.append(masks.copy())
        step = super().propagate(images, masks, states)
        if len(self.guidance) % 2 == 0:
            for probability in step.probabilities:
                x, y, width, height = cv2.boundingRect((probability > 0.5).view(np.uint8))
                middle = slice(y + height // 6, y + height - height // 6), slice(x + width // 6, x + width - width // 6)
                probability[middle] = np.minimum(probability[middle], 0.3)
        return Step(step.probabilities, step.states)


def followed(smoothing, frames, engine=None):
    engine = engine or UnsureEngine()
    tracker = Tracker(engine, TrackingSettings(temporal_smoothing=smoothing))
    frame, labels = frames[0]
    tracker.start(frame, labels)
    return [tracker.step(frame) for frame, _ in frames[1:]], engine


def moving(count=9):
    """A grained square that moves before a grained background."""
    grain, its_own = (texture(seed, 200)[:120] // 8 for seed in (3, 4))
    made = []
    for number in range(count):
        frame, labels = square_frame(120, 200, (1, RED, 20 + number, 30, 30))
        shown = np.where(labels[..., None] > 0, np.roll(its_own, number, axis=1), grain)
        made.append((cv2.add(frame, shown), labels))
    return made


def test_only_what_is_given_out_changes():
    frames = moving()
    (smooth, engine), (plain, other) = (followed(way, frames) for way in (None, False))
    for one, guidance in zip(engine.guidance, other.guidance, strict=True):
        np.testing.assert_array_equal(one, guidance)
    for one, wanted in zip(smooth, plain, strict=True):
        assert [(seen.status, seen.score, seen.presence) for seen in one.objects] == [
            (seen.status, seen.score, seen.presence) for seen in wanted.objects
        ]
    quality = [
        [iou(one.labels == 1, labels == 1) for one, (_, labels) in zip(found, frames[1:], strict=True)]
        for found in (smooth, plain)
    ]
    assert min(quality[0]) > 0.9 > 0.6 > min(quality[1])
    area = [one.objects[0].area for one in smooth]
    assert all(abs(one - other) < 150 for one, other in pairwise(area)), "it does not flicker"


def test_a_lost_object_is_not_drawn_and_begins_anew_when_it_is_found():
    frames = [*moving(4), *[square_frame(120, 200)] * 2, *[square_frame(120, 200, (1, RED, 30, 32, 30))] * 2]
    results, _ = followed(True, frames, BrightObjectEngine())
    assert [one.objects[0].status for one in results] == [*["tracked"] * 3, "lost", "lost", "tracked", "tracked"]
    for one in results[3:5]:
        assert not one.labels.any()
    for one in results[5:]:
        assert iou(one.labels == 1, frames[-1][1] == 1) > 0.9


class HalfEngine(BrightObjectEngine):
    """Has an object's blue part for a part of it until `doubts`, and is not sure of an object that is blue."""

    doubts = False

    def propagate(self, images, masks, states):
        near = {}
        for colour in (RED, BLUE):
            near[colour] = [np.abs(image.astype(int) - colour).max(axis=-1) < 40 for image in images]
        probabilities = np.full(images.shape[:3], 0.02, np.float32)
        for index, (probability, state) in enumerate(zip(probabilities, states, strict=True)):
            is_red = state[0] > state[2]
            probability[near[RED][index]] = 0.95 if is_red else 0.02
            probability[near[BLUE][index]] = (0.35 if self.doubts else 0.95) if is_red else 0.6
        return Step(probabilities, tuple(states))


def test_pixels_that_another_mask_takes_are_not_given_back():
    engine = HalfEngine()
    frame, labels = square_frame(120, 200, (1, RED, 40, 30, 40), (2, BLUE, 64, 30, 16))
    tracker = Tracker(engine, TrackingSettings(temporal_smoothing=True))
    tracker.resumable = True
    tracker.start(frame, labels > 0)
    whole = tracker.step(frame)
    assert iou(whole.labels == 1, labels > 0) > 0.9
    engine.doubts = True
    tracker.add(frame, labels == 2, 2)
    kept = tracker.keep().objects[1]
    shown, probability = kept["shown"], kept["probability"]
    assert isinstance(shown, Shown)
    assert isinstance(probability, np.ndarray)
    np.testing.assert_array_equal(shown.probability > 0.5, probability > 0.5)
    result = tracker.step(frame)
    for object_id in (1, 2):
        assert iou(result.labels == object_id, labels == object_id) > 0.85


def test_what_was_kept_goes_on_as_without_a_stop():
    frames = moving(12)
    engines = [UnsureEngine(), UnsureEngine()]
    trackers = [Tracker(engine, TrackingSettings()) for engine in engines]
    trackers[0].resumable = True
    trackers[0].start(*frames[0])
    for frame, _ in frames[1:6]:
        trackers[0].step(frame)
    trackers[1].restore(trackers[0].keep(), 120, 200)
    engines[1].guidance = list(engines[0].guidance)  # which frames it is unsure in
    for frame, _ in frames[6:]:
        wanted, found = (tracker.step(frame) for tracker in trackers)
        np.testing.assert_array_equal(found.alpha, wanted.alpha)


@pytest.mark.parametrize(
    ("settings", "smooths"),
    [
        ({}, True),
        ({"temporal_smoothing": False}, False),
        ({"on_device": True}, False),
        ({"window": False}, False),
        ({"window": False, "temporal_smoothing": False}, False),
    ],
)
def test_masks_are_smoothed_wherever_that_can_be_done(settings, smooths):
    assert TrackingSettings(**settings).smooths is smooths


def test_the_papers_protocol_smooths_nothing():
    assert not TrackingSettings.paper().smooths


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"on_device": True}, "on_device"), ({"window": False}, "window")],
)
def test_smoothing_that_cannot_be_done_is_refused(settings, named):
    with pytest.raises(UsageError, match=f"`temporal_smoothing=True`.*leave `{named}` out"):
        TrackingSettings(**settings, temporal_smoothing=True)


def test_another_word_is_refused():
    with pytest.raises(UsageError, match="`temporal_smoothing='on'`: give True, False or None"):
        TrackingSettings(temporal_smoothing="on")  # type: ignore[arg-type]
