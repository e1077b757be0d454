from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vosctl.arguments import file_name, real_number, whole_number
from vosctl.errors import UsageError


def test_numbers_of_every_kind_are_taken():
    assert (whole_number("n", 3), whole_number("n", np.int64(-3))) == (3, -3)
    assert [real_number("x", value) for value in (2, 0.5, np.float32(0.5), Fraction(1, 2))] == [2.0, 0.5, 0.5, 0.5]


@pytest.mark.parametrize("value", [None, "3", 3.0, True, [3]])
def test_what_is_no_whole_number_is_said(value):
    with pytest.raises(UsageError, match=r"`n=.*: give a whole number"):
        whole_number("n", value)


@pytest.mark.parametrize("value", [None, "3", True, [3.0]])
def test_what_is_no_number_is_said(value):
    with pytest.raises(UsageError, match=r"`x=.*: give a number"):
        real_number("x", value)


def test_names_and_paths_are_taken_and_nothing_else():
    assert (file_name("source", "a.mp4"), file_name("source", Path("a.mp4"))) == ("a.mp4", "a.mp4")
    for value in (None, 0, b"a.mp4", ("a.mp4",), ""):
        with pytest.raises(UsageError, match="`source"):
            file_name("source", value)
