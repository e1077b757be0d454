import numpy as np

from vosctl.summary import MOST_RANGES, LossRecord
from vosctl.tracking import TrackedFrame, TrackedObject


def result(lost, present=(1, 2)):
    nothing = np.zeros((2, 2), np.uint8)
    objects = tuple(TrackedObject(key, "lost" if key in lost else "tracked", 0.0, 0, None) for key in present)
    return TrackedFrame(nothing, nothing, objects)


def test_losses_are_ranges_of_frames():
    record = LossRecord()
    changes = [record.see(result(lost), index) for index, lost in enumerate([(), (1,), (1, 2), (2,), (), (1,)])]
    assert changes == [([], []), ([1], []), ([2], []), ([], [1]), ([], [2]), ([1], [])]
    assert record.losses[1].ranges == ((1, 2), (5, 5))
    assert record.losses[1].frames == 3
    assert str(record.losses[1]) == "1-2, 5"
    assert record.losses[2].ranges == ((2, 3),)


def test_a_run_without_end_keeps_a_bounded_number_of_ranges():
    record = LossRecord()
    for index in range(10 * MOST_RANGES):
        record.see(result((1,) if index % 2 else ()), index)
    losses = record.losses[1]
    assert losses.frames == 5 * MOST_RANGES
    assert len(losses.ranges) == MOST_RANGES
    assert losses.more == 4 * MOST_RANGES
    assert str(losses).endswith(f"{4 * MOST_RANGES} more")


def test_a_removed_object_is_not_found_again():
    record = LossRecord()
    record.see(result((1,)), 0)
    assert record.see(result((), present=(2,)), 1) == ([], [])


def test_a_range_that_is_not_kept_does_not_lengthen_the_last_one():
    record = LossRecord()
    for index in range(0, 2 * MOST_RANGES + 2, 2):
        record.see(result((1,)), index)
        record.see(result(()), index + 1)
    record.see(result((1,)), 1000)
    record.see(result((1,)), 1001)
    assert record.losses[1].ranges[-1] == (2 * MOST_RANGES - 2, 2 * MOST_RANGES - 2)
