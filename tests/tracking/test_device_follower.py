"""Following on the device, here torch's CPU, against the plain path: the same words, and masks that hardly differ."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import pytest

from tests.helpers.bright_network import bright_torch_engine
from tests.helpers.frames import square_frame
from tests.helpers.late_queue import LateQueue
from vosctl import Tracker, TrackingSettings
from vosctl.errors import UsageError
from vosctl.tracking.arriving import ArrivingFrame, Settled
from vosctl.tracking.scene_change import SceneChange
from vosctl.video.planar import Coding, PlanarPicture

RED, BLUE, YELLOW = (230, 40, 40), (40, 40, 230), (230, 230, 40)
AGREE = 0.995


@pytest.fixture(params=["without presence", "with presence"])
def trackers(request):
    """The plain path and the one on the device, on one engine."""
    engine = bright_torch_engine(tells_presence=request.param == "with presence")
    plain = Tracker(engine, TrackingSettings(temporal_smoothing=False))
    return plain, Tracker(engine, TrackingSettings(on_device=True))


def words(result):
    return [(one.id, one.status) for one in result.objects]


def compare(plain, there):
    """Compare the two paths' results of a frame; return the one on the device."""
    assert words(plain) == words(there)
    assert (plain.labels == there.labels).mean() >= AGREE
    assert np.abs(plain.alpha.astype(int) - there.alpha).mean() < 1
    for one, other in zip(plain.objects, there.objects, strict=True):
        assert other.score == pytest.approx(one.score, abs=0.01)
        assert (other.presence is None) == (one.presence is None)
        if one.status == "tracked":
            assert other.area == (there.labels == other.id).sum()
            np.testing.assert_allclose(other.box, one.box, atol=2)
    return there


def on_device(result):
    return isinstance(result, ArrivingFrame)


def both(trackers, name, *arguments):
    return compare(*(getattr(tracker, name)(*arguments) for tracker in trackers))


def test_objects_that_stay_in_sight_are_followed_on_the_device(trackers):
    squares = [(2, RED, 20, 30, 30), (5, BLUE, 80, 50, 40), (9, YELLOW, 150, 20, 25)]
    both(trackers, "start", *square_frame(120, 200, *squares))
    for step in range(1, 12):
        moved = [(name, colour, x + 3 * step, y + step, side) for name, colour, x, y, side in squares]
        assert on_device(both(trackers, "step", square_frame(120, 220, *moved)[0][:, :200]))


def test_planes_of_a_video_are_followed_like_colours(trackers):
    def planar(image):
        half = np.ascontiguousarray(image[::2, ::2])
        planes = np.ascontiguousarray(image.max(2)), half[..., 0].copy(), half[..., 2].copy()
        return PlanarPicture(planes, Coding("bt601", full_range=True), lambda: image)

    frame, labels = square_frame(120, 200, (1, RED, 40, 30, 34))
    both(trackers, "start", planar(frame), labels)
    for step in range(1, 6):
        frame, labels = square_frame(120, 200, (1, RED, 40 + 4 * step, 30, 34))
        result = both(trackers, "step", planar(frame))
        assert on_device(result)
        assert ((result.labels == 1) == (labels == 1)).mean() > 0.97


def test_an_object_that_is_hidden_is_lost_and_found_in_the_same_frames(trackers):
    still = (4, BLUE, 120, 60, 30)
    both(trackers, "start", *square_frame(120, 200, (3, RED, 20, 30, 30), still))
    there = []
    for step in range(1, 22):
        hidden = 6 <= step < 12
        squares = [still] if hidden else [(3, RED, 20 + 2 * step, 30, 30), still]
        result = both(trackers, "step", square_frame(120, 200, *squares)[0])
        there.append(on_device(result))
        assert result.objects[1].status == "tracked"
    assert all(there[:5])
    assert not any(there[6:11])
    assert all(there[16:])


def test_a_cut_is_followed_like_by_the_plain_path(trackers):
    both(trackers, "start", *square_frame(120, 200, (3, RED, 60, 30, 30)))
    both(trackers, "step", square_frame(120, 200, (3, RED, 62, 30, 30))[0])
    for step in range(8):
        frame = square_frame(120, 200, (3, RED, 120, 60, 30), background=(190, 200, 190))[0]
        result = both(trackers, "step", frame)
        assert on_device(result) == (step > 3 and result.objects[0].status == "tracked")


def test_objects_come_go_and_are_corrected(trackers):
    squares = [(1, RED, 20, 30, 30), (7, BLUE, 90, 50, 30)]
    both(trackers, "start", *square_frame(120, 200, *squares[:1]))
    both(trackers, "step", square_frame(120, 200, *squares)[0])
    frame, labels = square_frame(120, 200, *squares)
    both(trackers, "step", frame, np.where(labels == 7, 7, 0).astype(np.uint8), [7])
    assert words(both(trackers, "step", frame)) == [(1, "tracked"), (7, "tracked")]
    both(trackers, "add", frame, labels == 1, 3)  # takes the first one's place
    both(trackers, "step", frame)
    both(trackers, "remove", 1)
    result = both(trackers, "step", frame)
    assert words(result) == [(3, "tracked"), (7, "tracked")]
    assert on_device(result)


def test_a_run_that_is_taken_up_again_goes_on_as_without_a_stop():
    engine = bright_torch_engine(tells_presence=True)

    def tracker():
        made = Tracker(engine, TrackingSettings(on_device=True))
        made.resumable = True
        return made

    frames = [square_frame(120, 200, (1, RED, 20 + 3 * step, 30, 30), (2, BLUE, 100, 60, 30)) for step in range(40)]
    whole = tracker()
    whole.start(*frames[0])
    results = [whole.step(frame) for frame, _ in frames[1:]]
    kept = [(index, result.state) for index, result in enumerate(results) if result.state is not None]
    assert [index for index, _ in kept] == [24]
    resumed = tracker()
    resumed.restore(kept[0][1], 120, 200)
    for result, (frame, _) in zip(results[25:], frames[26:], strict=True):
        again = resumed.step(frame)
        np.testing.assert_array_equal(again.labels, result.labels)
        assert words(again) == words(result)
        assert on_device(again)


def test_a_state_stays_as_it_was_kept_while_the_tracker_goes_on():
    squares = [square_frame(120, 200, (1, RED, 60, 30, 20 + 2 * step)) for step in range(8)]
    tracker = Tracker(bright_torch_engine(), TrackingSettings(on_device=True))
    tracker.resumable = True
    tracker.start(*squares[0])
    tracker.step(squares[1][0])
    kept = tracker.keep()
    assert kept is not None
    mask = np.array(kept.objects[1]["probability"])
    for frame, _ in squares[2:]:
        assert on_device(tracker.step(frame))
    now = tracker.keep()
    assert now is not None
    np.testing.assert_array_equal(kept.objects[1]["probability"], mask)
    assert not np.array_equal(np.asarray(now.objects[1]["probability"]), mask)


def test_labels_arrive_when_they_are_asked_for():
    asked = []

    def arrive():
        asked.append("drawn")
        return np.full((2, 3), 7, np.uint8), np.full((2, 3), 255, np.uint8)

    def settled():
        asked.append("settled")
        return Settled((), arrive)

    frame = ArrivingFrame.of(settled)
    assert (frame.state, asked) == (None, [])
    assert (frame.objects, asked) == ((), ["settled"])
    assert frame.alpha[0, 0] == 255
    assert frame.labels[0, 0] == 7
    assert asked.count("drawn") == 1
    assert dataclasses.replace(ArrivingFrame.of(settled), state=None).labels[0, 0] == 7
    assert not hasattr(frame, "colour")


def walk(steps, hidden=()):
    """A run of two squares, one of which is not there in some frames."""
    for step in range(steps):
        squares = [(3, RED, 20 + 2 * step, 30, 30), (4, BLUE, 120, 60, 30)]
        yield square_frame(120, 200, *(squares[1:] if step in hidden else squares))


def test_a_frame_is_waited_for_once_when_the_next_is_on_its_way_up():
    queue = LateQueue()
    engine = bright_torch_engine(tells_presence=True, queue=lambda device: queue)
    tracker = Tracker(engine, TrackingSettings(on_device=True))
    frames = list(walk(12))
    tracker.start(*frames[0])
    results = []
    for index, (frame, _) in enumerate(frames[1:]):
        before, begun = len(queue.waits), queue.asked
        results.append(tracker.step(frame))
        if index == 0:
            assert queue.waits[before:] == [], "there is nothing to wait for yet"
            continue
        (wait,) = queue.waits[before:]
        assert begun < wait.at, "the next frame is on its way before"
        assert wait.moment < begun, "what is waited for is the frame before"
    waits = len(queue.waits)
    assert results[0].objects[0].status == "tracked"
    assert len(queue.waits) == waits, "the next step has waited for it"
    assert results[-1].objects[0].status == "tracked"
    assert len(queue.waits) == waits + 1
    plain = Tracker(bright_torch_engine(tells_presence=True), TrackingSettings(on_device=True))
    plain.start(*frames[0])
    for result, (frame, _) in zip(results, frames[1:], strict=True):
        compare(plain.step(frame), result)


def test_results_are_the_same_whenever_they_are_asked_for():
    frames = list(walk(16, hidden=range(6, 10)))
    engine = bright_torch_engine(tells_presence=True, queue=lambda device: LateQueue())
    at_once, later = (Tracker(engine, TrackingSettings(on_device=True)) for _ in range(2))
    at_once.start(*frames[0])
    later.start(*frames[0])
    shown = [frame.copy() for frame, _ in frames]
    wanted = []
    for frame in shown[1:]:
        result = at_once.step(frame)
        wanted.append((result.objects, result.labels.copy(), result.alpha.copy()))
    found = []
    for frame in shown[1:]:
        found.append(later.step(frame))
        frame[:] = 0  # whoever gives a picture may use its memory again
    with ThreadPoolExecutor(3) as threads:
        read = list(threads.map(lambda result: (result.labels, result.alpha, result.objects), reversed(found)))
    for (objects, labels, alpha), (now_labels, now_alpha, now_objects) in zip(wanted, reversed(read), strict=True):
        np.testing.assert_array_equal(labels, now_labels)
        np.testing.assert_array_equal(alpha, now_alpha)
        assert objects == now_objects
    assert {one.status for objects, *_ in wanted for one in objects} == {"tracked", "lost"}


def test_the_scene_is_looked_at_once_a_frame():
    class Counting(SceneChange):
        looked = 0

        def between(self, picture):
            self.looked += 1
            return super().between(picture)

    tracker = Tracker(bright_torch_engine(tells_presence=True), TrackingSettings(on_device=True))
    frames = list(walk(16, hidden=range(6, 10)))
    tracker.start(*frames[0])
    counting = Counting()
    cast(Any, tracker._follower)._scene = counting
    for frame, _ in frames[1:]:
        tracker.step(frame)
    assert counting.looked == len(frames) - 1


def test_what_cannot_follow_on_its_device_says_so(bright_engine):
    with pytest.raises(UsageError, match="`on_device=True`: the fake engine cannot; use `engine='torch'`"):
        Tracker(bright_engine, TrackingSettings(on_device=True))


def test_objects_with_one_and_with_two_references_are_followed_on_the_device(trackers):
    shade = (200, 20, 20)
    squares = [(1, RED, 20, 30, 30), (2, BLUE, 110, 50, 40)]
    both(trackers, "start", *square_frame(120, 200, *squares))
    both(trackers, "step", square_frame(120, 200, *squares)[0])
    frame, labels = square_frame(120, 200, (1, shade, 22, 30, 30), squares[1])
    both(trackers, "step", frame, np.where(labels == 1, labels, 0))
    assert [tracker.references for tracker in trackers] == 2 * [{1: 2, 2: 1}]
    for step in range(1, 6):
        colour = RED if step % 2 else shade
        frame, labels = square_frame(120, 200, (1, colour, 22 + 3 * step, 30, 30), squares[1])
        result = both(trackers, "step", frame)
        assert on_device(result)
        assert (result.labels == labels).mean() > 0.97
    both(trackers, "remove", 1)
    assert on_device(both(trackers, "step", frame))
    assert trackers[1].references == {2: 1}
