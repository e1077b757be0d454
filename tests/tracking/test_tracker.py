import numpy as np
import pytest

from tests.helpers.frames import square_frame
from vosctl import Tracker, TrackingSettings
from vosctl.errors import UsageError

RED, BLUE = (230, 40, 40), (40, 40, 230)


def iou(one, other):
    return (one & other).sum() / max((one | other).sum(), 1)


@pytest.fixture(params=["crop", "full-frame"])
def tracker(request, bright_engine):
    return Tracker(bright_engine, TrackingSettings(window=request.param == "crop"))


def test_a_moving_object_is_followed(tracker):
    frame, labels = square_frame(120, 200, (1, RED, 20, 30, 30))
    tracker.start(frame, labels)
    for step in range(1, 20):
        frame, labels = square_frame(120, 200, (1, RED, 20 + 6 * step, 30 + step, 30))
        result = tracker.step(frame)
        assert iou(result.labels == 1, labels == 1) > 0.9
        assert result.objects[0].status == "tracked"
        assert result.objects[0].score == pytest.approx(0.95, abs=0.03)
        x, _, width, _ = result.objects[0].box
        assert abs(x - (20 + 6 * step)) <= 2
        assert abs(width - 30) <= 4
        assert result.objects[0].area == (result.labels == 1).sum()


def test_ids_come_back_as_given_and_labels_do_not_overlap(tracker):
    frame, labels = square_frame(120, 200, (7, RED, 20, 30, 30), (200, BLUE, 60, 40, 30))
    first = tracker.start(frame, labels)
    assert [one.id for one in first.objects] == [7, 200]
    np.testing.assert_array_equal(first.labels, labels)
    frame, labels = square_frame(120, 200, (7, RED, 24, 32, 30), (200, BLUE, 50, 40, 30))
    result = tracker.step(frame)
    assert [one.id for one in result.objects] == [7, 200]
    assert set(np.unique(result.labels)) == {0, 7, 200}
    for object_id in (7, 200):
        assert iou(result.labels == object_id, labels == object_id) > 0.85


def test_all_objects_go_through_the_network_in_one_batch(bright_engine):
    tracker = Tracker(bright_engine)
    squares = [(index, (230, 40, 10 * index), 30 * index, 20, 20) for index in range(1, 6)]
    frame, labels = square_frame(80, 220, *squares)
    tracker.start(frame, labels)
    tracker.step(frame)
    assert bright_engine.batches == [5]


def test_a_lost_object_is_said_to_be_lost_and_is_found_again(tracker):
    frame, labels = square_frame(120, 200, (3, RED, 20, 30, 30))
    tracker.start(frame, labels)
    empty, _ = square_frame(120, 200)
    for _ in range(8):
        result = tracker.step(empty)
        assert result.objects[0].status == "lost"
        assert result.objects[0].box is None
        assert result.objects[0].area == 0
        assert not result.labels.any()
    back, labels = square_frame(120, 200, (3, RED, 130, 70, 30))
    for _ in range(4):
        result = tracker.step(back)
    assert result.objects[0].status == "tracked"
    assert iou(result.labels == 3, labels == 3) > 0.85


@pytest.mark.parametrize("side", [52, 100])  # 3 and 11 times the area
def test_what_is_much_larger_is_not_the_lost_object(bright_engine, side):
    """It went out of sight bit by bit: the size it had before counts, not the last sliver."""
    tracker = Tracker(bright_engine)
    tracker.start(*square_frame(120, 200, (3, RED, 20, 30, 30)))
    for x in range(12, -36, -8):
        tracker.step(square_frame(120, 200, (3, RED, x, 30, 30))[0])
    for _ in range(12):  # until the crop shows the whole frame
        assert tracker.step(square_frame(120, 200)[0]).objects[0].status == "lost"
    large, _ = square_frame(120, 200, (3, RED, 60, 10, side))
    for _ in range(10):
        assert tracker.step(large).objects[0].status == "lost"
    back, labels = square_frame(120, 200, (3, RED, 130, 70, 34))
    for _ in range(4):
        result = tracker.step(back)
    assert iou(result.labels == 3, labels == 3) > 0.85


@pytest.mark.parametrize("every", [24, 28])
def test_a_fast_object_is_followed(bright_engine, every):
    """It moves by most of its own width a frame, as in a pan; its crop has to be there before it."""
    tracker = Tracker(bright_engine)
    tracker.start(*square_frame(300, 900, (1, RED, 20, 100, 40)))
    for x in [23, 30, 40, *range(52, 700, every)]:
        frame, labels = square_frame(300, 900, (1, RED, x, 100, 40))
        assert iou(tracker.step(frame).labels == 1, labels == 1) > 0.85


def test_an_object_that_comes_out_behind_something_is_seen_whole(bright_engine):
    """A long one passes behind a tree, so that for a while only its two ends are to be seen."""
    tracker = Tracker(bright_engine)

    def moment(x):
        frame, labels = np.full((300, 1200, 3), 20, np.uint8), np.zeros((300, 1200), np.uint8)
        frame[130:170, x : x + 260], labels[130:170, x : x + 260] = RED, 1
        frame[:, 400:460], labels[:, 400:460] = 20, 0
        return frame, labels

    tracker.start(*moment(60))
    for x in range(68, 660, 8):
        frame, labels = moment(x)
        assert iou(tracker.step(frame).labels == 1, labels == 1) > 0.6, x


def test_an_object_may_leave_through_the_edge(tracker):
    frame, labels = square_frame(120, 200, (1, RED, 150, 40, 30))
    tracker.start(frame, labels)
    for x in range(158, 260, 8):
        frame, labels = square_frame(120, 200, (1, RED, x, 40, 30))
        result = tracker.step(frame)
        assert result.labels.shape == (120, 200)
    assert result.objects[0].status == "lost"


def test_objects_can_be_added_corrected_and_removed(bright_engine):
    tracker = Tracker(bright_engine)
    frame, labels = square_frame(120, 200, (1, RED, 20, 30, 30))
    tracker.start(frame, labels)
    frame, labels = square_frame(120, 200, (1, RED, 22, 30, 30), (2, BLUE, 120, 60, 25))
    tracker.step(frame)
    tracker.add(frame, labels == 2, 2)
    result = tracker.step(frame)
    assert set(np.unique(result.labels)) == {0, 1, 2}
    tracker.remove(1)
    assert set(np.unique(tracker.step(frame).labels)) == {0, 2}
    tracker.remove(2)
    assert not tracker.step(frame).labels.any()


def test_alpha_is_soft_and_covers_the_labels(tracker):
    frame, labels = square_frame(120, 200, (1, RED, 20, 30, 31))
    tracker.start(frame, labels)
    result = tracker.step(frame)
    assert result.alpha[45, 35] > 200
    assert result.alpha[100, 150] < 20
    assert (result.alpha[result.labels > 0] >= 100).all()


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (33, 31)])
def test_odd_and_tiny_frames(bright_engine, shape):
    tracker = Tracker(bright_engine)
    frame = np.full((*shape, 3), 200, np.uint8)
    tracker.start(frame, np.ones(shape, np.uint8))
    assert tracker.step(frame).labels.shape == shape


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window_size": 100}, "`window_size=100`"),
        ({"window": False, "scales": ()}, "`scales`"),
        ({"window": False, "scales": (0.01,)}, "`scales`"),
        ({"scales": (0.5,)}, "`window=False`"),
        ({"paper_protocol": True}, "`paper_protocol=True`"),
        ({"window": "off"}, "`window='off'`: give True or False"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(UsageError, match=message):
        TrackingSettings(**settings)


def test_scales_may_be_a_list():
    assert TrackingSettings(scales=[1.0]).window  # type: ignore[arg-type]


def test_the_state_has_a_fixed_size(bright_engine):
    """Whatever a follower holds after many frames, lost and found, is what it held after one."""
    import tracemalloc

    tracker = Tracker(bright_engine)
    frame, labels = square_frame(120, 200, (1, RED, 20, 30, 30), (2, BLUE, 100, 60, 25))
    empty, _ = square_frame(120, 200)
    tracker.start(frame, labels)

    def run(steps):
        for step in range(steps):
            tracker.step(empty if step % 10 > 6 else frame)
            bright_engine.batches.clear()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    before = run(30)
    grown = run(300) - before
    tracemalloc.stop()
    assert grown < 100_000  # keeping one mask a step would be 11 MB


def test_the_shipped_weights_follow_objects_over_a_photo(demo_frames):
    tracker = Tracker.load("lite", device="cpu")
    tracker.start(*demo_frames[0])
    scores = []
    for frame, labels in demo_frames[1:]:
        result = tracker.step(frame)
        scores.append([iou(result.labels == object_id, labels == object_id) for object_id in (1, 2)])
    assert np.mean(scores, axis=0) == pytest.approx([1, 1], abs=0.1), scores
