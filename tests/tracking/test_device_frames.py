"""Following on the full frame on the device, here torch's CPU, against the plain path: padding, scales, merging."""

import cv2
import numpy as np
import pytest

from tests.engine.test_torch_recording import ReplayRecorder
from tests.helpers.balanced import balance
from tests.helpers.bright_network import bright_torch_engine
from tests.helpers.frames import square_frame
from tests.helpers.late_queue import LateQueue
from vosctl import Tracker, TrackingSettings
from vosctl.demo import demo_clip
from vosctl.engine.devices import resolve_placement
from vosctl.engine.torch_engine import TorchEngine
from vosctl.errors import UsageError
from vosctl.tracking.arriving import ArrivingFrame
from vosctl.video.masks import read_indexed_png
from vosctl.video.planar import Coding, PlanarPicture, rgb_of_planes
from vosctl.video.sources import open_source

RED, BLUE, YELLOW = (230, 40, 40), (40, 40, 230), (230, 230, 40)
AGREE = 0.995


def settings_of(protocol, on_device):
    if protocol == "paper":
        return TrackingSettings.paper(on_device=on_device)
    scales = (1.0,) if protocol == "full frame" else (0.5, 1.0)
    return TrackingSettings(window=False, scales=scales, on_device=on_device)


def both(engine, protocol):
    return [Tracker(engine, settings_of(protocol, on_device)) for on_device in (False, True)]


def words(result):
    return [(one.id, one.status) for one in result.objects]


def compare(plain, there):
    assert (plain.labels == there.labels).mean() >= AGREE
    assert np.abs(plain.alpha.astype(int) - there.alpha).mean() < 1
    assert words(plain) == words(there)
    for one, other in zip(plain.objects, there.objects, strict=True):
        assert other.score == pytest.approx(one.score, abs=0.01)
        assert other.area == (there.labels == other.id).sum()
        if one.box is not None:
            np.testing.assert_allclose(other.box, one.box, atol=3)
    return there


def moving(size, objects, count):
    generator = np.random.default_rng(5)
    squares = [(2, RED, 10, 12, 24), (5, BLUE, 44, 30, 26), (9, YELLOW, 60, 5, 18)][:objects]
    for step in range(count):
        frame, labels = square_frame(*size, *((i, c, x + 3 * step, y + step, side) for i, c, x, y, side in squares))
        yield np.clip(frame + generator.integers(-20, 20, frame.shape), 0, 255).astype(np.uint8), labels


def planar(image):
    """A picture as the planes of a video."""
    height, width = image.shape[:2]
    flat = np.asarray(cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2YUV_I420), np.uint8)
    cb, cr = flat[height:].reshape(2, height // 2, width // 2)
    planes, coding = (flat[:height], cb, cr), Coding("bt601", full_range=False)
    return PlanarPicture(planes, coding, lambda: rgb_of_planes(planes, coding))


@pytest.mark.parametrize(
    ("protocol", "objects", "recorded"),
    [
        ("full frame", 1, False),
        ("full frame", 3, True),
        ("two scales", 2, False),
        ("paper", 1, True),
        ("paper", 3, False),
    ],
)
def test_labels_are_those_of_the_plain_path(tiny_rgmp, protocol, objects, recorded):
    frames = [(planar(frame[:, :80]), labels[:, :80]) for frame, labels in moving((70, 81), objects, 4)]
    recorder = ReplayRecorder() if recorded else None
    balance(tiny_rgmp, frames[0][0].to_rgb(), frames[0][1] == 2)
    engine = TorchEngine(tiny_rgmp, resolve_placement("cpu", "fp32"), "tiny", recorder=lambda device: recorder)
    plain, there = both(engine, protocol)
    compare(plain.start(*frames[0]), there.start(*frames[0]))
    seen = set()
    for frame, _ in frames[1:]:
        result = there.step(frame)
        assert isinstance(result, ArrivingFrame)
        seen |= set(np.unique(compare(plain.step(frame), result).labels))
    assert seen >= {0, 2}, "a test of one label would show nothing"
    assert there.notes == []


@pytest.mark.slow
def test_planes_of_a_real_clip_are_followed_like_its_pictures(tiny_rgmp):
    video, mask = demo_clip()
    labels = read_indexed_png(mask)
    with open_source(str(video)) as source:
        frames = [frame.picture for _, frame in zip(range(4), source, strict=False)]
    balance(tiny_rgmp, frames[0].to_rgb(), labels > 0)
    engine = TorchEngine(tiny_rgmp, resolve_placement("cpu", "fp32"), "tiny")
    plain, there = both(engine, "paper")
    plain.start(frames[0], labels)
    there.start(frames[0], labels)
    for frame in frames[1:]:
        share = (compare(plain.step(frame), there.step(frame)).labels > 0).mean()
        assert 0.05 < share < 0.95


def test_a_frame_is_waited_for_when_the_next_is_under_way():
    queue = LateQueue()
    tracker = Tracker(bright_torch_engine(queue=lambda device: queue), TrackingSettings(window=False, on_device=True))
    plain = Tracker(bright_torch_engine(), TrackingSettings(window=False))
    frames = list(moving((96, 128), 2, 8))
    tracker.start(*frames[0])
    plain.start(*frames[0])
    results = []
    for index, (frame, _) in enumerate(frames[1:]):
        before, begun = len(queue.waits), queue.asked
        results.append(tracker.step(frame))
        waits = queue.waits[before:]
        assert len(waits) == (index > 0)
        assert all(wait.moment < begun < wait.at for wait in waits), "the frame before, once this one is under way"
    for result, (frame, _) in zip(results, frames[1:], strict=True):
        compare(plain.step(frame), result)


def test_objects_come_go_and_are_corrected():
    plain, there = both(bright_torch_engine(), "full frame")
    squares = [(1, RED, 20, 30, 30), (7, BLUE, 90, 50, 30)]
    frame, labels = square_frame(120, 200, *squares)
    compare(plain.start(frame, np.where(labels == 1, 1, 0)), there.start(frame, np.where(labels == 1, 1, 0)))

    def on_both(name, *arguments):
        return compare(*(getattr(tracker, name)(*arguments) for tracker in (plain, there)))

    on_both("step", frame)
    on_both("step", frame, np.where(labels == 7, 7, 0).astype(np.uint8), [7])
    assert words(on_both("step", frame)) == [(1, "tracked"), (7, "tracked")]
    on_both("add", frame, labels == 1, 3)  # takes the first one's place, which yields from now on
    on_both("step", frame)
    on_both("step", square_frame(120, 200, squares[1])[0])
    on_both("step", frame)
    on_both("remove", 1)
    assert words(on_both("step", frame)) == [(3, "tracked"), (7, "tracked")]
    on_both("remove", 3)
    assert isinstance(on_both("step", frame), ArrivingFrame)


def test_a_run_that_is_taken_up_again_goes_on_as_without_a_stop():
    frames = list(moving((96, 160), 2, 12))

    def tracker():
        made = Tracker(bright_torch_engine(), TrackingSettings(window=False, on_device=True))
        made.resumable = True
        return made

    whole, resumed = tracker(), tracker()
    whole.start(*frames[0])
    for frame, _ in frames[1:6]:
        whole.step(frame)
    kept = whole.keep()
    assert kept is not None
    resumed.restore(kept, 96, 160)
    for frame, _ in frames[6:]:
        result, again = whole.step(frame), resumed.step(frame)
        np.testing.assert_array_equal(again.labels, result.labels)
        assert words(again) == words(result)


def test_a_state_stays_as_it_was_kept_while_the_tracker_goes_on():
    frames = list(moving((96, 160), 2, 8))
    tracker = Tracker(bright_torch_engine(), TrackingSettings(window=False, on_device=True))
    tracker.resumable = True
    tracker.start(*frames[0])
    tracker.step(frames[1][0])
    kept = tracker.keep()
    assert kept is not None
    masks = {object_id: np.array(fields["probability"]) for object_id, fields in kept.objects.items()}
    for frame, _ in frames[2:]:
        assert isinstance(tracker.step(frame), ArrivingFrame)
    now = tracker.keep()
    assert now is not None
    for object_id, mask in masks.items():
        np.testing.assert_array_equal(kept.objects[object_id]["probability"], mask)
        assert not np.array_equal(np.asarray(now.objects[object_id]["probability"]), mask)


def test_what_cannot_follow_on_its_device_says_so(bright_engine):
    with pytest.raises(UsageError, match="`on_device=True`: the fake engine cannot; use `engine='torch'`"):
        Tracker(bright_engine, TrackingSettings(window=False, on_device=True))
