"""What an object takes from others: what is meant, and no more."""

import numpy as np
import pytest

from vosctl.prompts import Prompt, Stroke
from vosctl.selection.precedence import named, shared

MASK = np.zeros((40, 60), bool)
MASK[10:30, 10:50] = True
PAINT = Stroke(((15.0, 15.0), (20.0, 15.0)), True, 2)


@pytest.fixture
def others():
    """Two objects at the left end of the mask, which touch, and one at the right."""
    labels = np.zeros(MASK.shape, np.uint8)
    labels[:20, 5:18], labels[20:, 5:18], labels[:, 45:] = 2, 3, 4
    return labels


def test_what_nobody_has_is_its_own(others):
    assert shared(MASK, Prompt(), np.zeros_like(others)).mask is MASK
    part = shared(MASK, Prompt(), others)
    assert np.array_equal(part.mask, MASK & (others == 0))
    assert (part.kept, part.taken, part.covered) == ((2, 3, 4), (), ())


def test_a_click_takes_the_part_of_one_object(others):
    part = shared(MASK, Prompt(points=((12, 12, True), (48, 20, False), (30, 20, True))), others)
    assert np.array_equal(part.mask, MASK & ((others == 0) | (others == 2)))
    assert (part.kept, part.taken, part.covered) == ((3, 4), (2,), ())


def test_paint_takes_what_it_covers(others):
    part = shared(MASK, Prompt(strokes=(PAINT,)), others)
    taken = part.mask & (others == 2)
    assert taken[15, 16]
    assert 0 < taken.sum() < 20
    assert part.kept == (2, 3, 4)


def test_what_lies_mostly_in_others_is_taken_from_them():
    others = np.zeros(MASK.shape, np.uint8)
    others[12:30, 10:50], others[5:12, 5:55] = 2, 3
    part = shared(MASK, Prompt(box=(10, 10, 40, 20)), others)
    assert np.array_equal(part.mask, MASK)
    assert (part.kept, part.taken, part.covered) == ((), (2, 3), (2,))


def test_objects_are_named():
    assert named([2]) == "object 2"
    assert named((2, 3)) == "objects 2, 3"
