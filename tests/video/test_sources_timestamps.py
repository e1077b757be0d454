from fractions import Fraction

import pytest

from vosctl.video.sources.timestamps import PresentationClock, nominal_frame_rate

MILLISECONDS = Fraction(1, 1000)


def stamps(pts, durations=None):
    clock = PresentationClock(MILLISECONDS, Fraction(25))
    return [
        clock.stamp(value, (durations or [0] * len(pts))[index]) for index, value in enumerate(pts)
    ], clock.corrected


@pytest.mark.parametrize(
    ("pts", "expected", "corrected"),
    [
        ([-80, -40, 0, 500, 501], [-80, -40, 0, 500, 501], 0),
        ([None, None, None], [0, 40, 80], 0),
        ([100, None, 180], [100, 140, 180], 0),
        ([0, 40, 40, 80], [0, 40, 41, 80], 1),
        ([0, 40, 20, 80], [0, 40, 41, 80], 1),
        ([50_000, 50_040, 0, 40, 80], [50_000, 50_040, 50_080, 50_120, 50_160], 1),
    ],
)
def test_timestamps_rise_and_are_left_alone_where_they_do(pts, expected, corrected):
    assert stamps(pts) == (expected, corrected)


def test_a_known_duration_gives_the_next_time():
    assert stamps([0, None, None], [100, 30, 0])[0] == [0, 100, 130]


@pytest.mark.parametrize(
    ("guessed", "average", "expected"),
    [
        (Fraction(30000, 1001), Fraction(2997, 100), Fraction(30000, 1001)),
        (Fraction(1000), Fraction(24), Fraction(24)),
        (Fraction(30), Fraction(25), Fraction(30)),
        (None, Fraction(25), Fraction(25)),
        (Fraction(25), None, Fraction(25)),
        (Fraction(0), Fraction(0), None),
        (None, None, None),
        (Fraction(25, 3), Fraction(25), Fraction(25)),
    ],
)
def test_nominal_frame_rate(guessed, average, expected):
    assert nominal_frame_rate(guessed, average) == expected
