"""Frames that are put together from runs forwards and backwards."""

import numpy as np
import pytest

from vosctl.jobs.blending import Part, put_together, share_ahead
from vosctl.tracking import TrackedFrame, TrackedObject


def result(*squares, size=(60, 80)):
    """A result with an object of each (id, x, y, side, probability)."""
    labels, alpha = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    objects = []
    for key, x, y, side, probability in squares:
        labels[y : y + side, x : x + side] = key
        alpha[y : y + side, x : x + side] = round(255 * probability)
        objects.append(TrackedObject(key, "tracked", probability, side * side, (x, y, side, side), probability))
    return TrackedFrame(labels, alpha, tuple(objects))


SEEN = TrackedObject(1, "tracked", 0.9, 9, (0, 0, 3, 3))
LOST = TrackedObject(1, "lost", 0.0, 0, None)


@pytest.mark.parametrize(
    ("number", "ahead", "back", "share"),
    [
        (10, SEEN, SEEN, 1),  # said there
        (12, SEEN, SEEN, 0.8),
        (18, SEEN, SEEN, 0.2),
        (15, SEEN, SEEN, 0.5),
        (18, SEEN, LOST, 1),
        (12, LOST, SEEN, 0),
        (12, LOST, LOST, 1),
        (18, LOST, LOST, 0),
        (5, None, SEEN, 0),  # before the first place
        (5, LOST, SEEN, 0),
        (25, SEEN, None, 1),  # after the last one
        (25, SEEN, LOST, 1),
        (25, None, SEEN, None),
        (12, SEEN, None, 1),
        (12, None, SEEN, 0),
        (12, None, None, None),
    ],
)
def test_shares(number, ahead, back, share):
    assert share_ahead([10, 20], number, ahead, back) == (share if share is None else pytest.approx(share))


def test_two_runs_are_blended_by_their_shares():
    ahead, back = result((1, 10, 10, 20, 0.9)), result((1, 14, 10, 20, 0.9))
    found = put_together({1: Part(ahead, back, 0.7)})
    np.testing.assert_array_equal(found.labels, ahead.labels)
    assert found.alpha[15, 12] == round(0.7 * 230)
    assert found.alpha[15, 20] == 230
    assert found.alpha[15, 32] == round(0.3 * 230)
    (one,) = found.objects
    assert (one.area, one.box, one.status) == (400, (10, 10, 20, 20), "tracked")
    assert one.presence == pytest.approx(0.9)
    np.testing.assert_array_equal(put_together({1: Part(ahead, back, 0.3)}).labels, back.labels)


def test_of_two_different_things_the_nearer_run_has_it():
    """However unsure both are: the mean of them would be nothing."""
    ahead, back = result((1, 10, 10, 20, 0.8)), result((1, 24, 10, 20, 0.8))
    for share, expected in ((0.9, ahead), (0.5, ahead), (0.49, back)):
        assert put_together({1: Part(ahead, back, share)}) is expected


def test_a_soft_edge_moves_from_one_run_to_the_other():
    ahead, back = result((1, 10, 10, 20, 1.0)), result((1, 14, 10, 20, 1.0))
    widths = [np.count_nonzero(put_together({1: Part(ahead, back, share)}).labels[15]) for share in (0.9, 0.6, 0.1)]
    assert widths == [20, 20, 20]
    assert put_together({1: Part(ahead, back, 0.6)}).alpha[15, 11] == 153


def test_what_is_of_one_run_alone_is_left_as_it_is():
    ahead, back = result((1, 10, 10, 20, 0.6), (2, 50, 10, 20, 0.7)), result((1, 20, 10, 20, 0.9))
    assert put_together({1: Part(ahead, back, 1.0), 2: Part(ahead, back, 1.0)}) is ahead
    assert put_together({1: Part(ahead, back, 0.0)}) is back
    only = put_together({2: Part(ahead, back, 1.0)})
    assert set(np.unique(only.labels)) == {0, 2}
    assert only.alpha[15, 15] == 0
    assert only.alpha[15, 55] == round(0.7 * 255)


def test_the_surer_object_is_on_top():
    ahead, back = result((1, 10, 10, 20, 0.6)), result((2, 20, 10, 20, 0.9))
    found = put_together({1: Part(ahead, back, 1.0), 2: Part(ahead, back, 0.0)})
    assert found.labels[15, 25] == 2
    assert [(one.id, one.area) for one in found.objects] == [(1, 200), (2, 400)]
    covered = put_together({1: Part(ahead, back, 1.0), 2: Part(ahead, result((2, 5, 5, 30, 0.9)), 0.0)})
    assert covered.objects[0] == TrackedObject(1, "lost", 0.0, 0, None)
