from fractions import Fraction

import numpy as np
import pytest

from vosctl.errors import UsageError
from vosctl.time_line import Place, Span
from vosctl.video.sources.times import FrameTimes


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("0", Place(frame=0)),
        (" 120 ", Place(frame=120)),
        ("12.5s", Place(seconds=Fraction("12.5"))),
        ("3s", Place(seconds=Fraction(3))),
        ("1:23.456", Place(seconds=Fraction("83.456"))),
        ("90:00", Place(seconds=Fraction(5400))),
        ("1:02:03", Place(seconds=Fraction(3723))),
        ("01:02:03.5", Place(seconds=Fraction("3723.5"))),
        ("0.00002s", Place(seconds=Fraction("0.00002"))),
        ("200s", Place(seconds=Fraction(200))),
    ],
)
def test_places_as_they_are_written(text, place):
    assert Place.parse(text) == Place.of(text) == Place.of(place) == place
    assert Place.parse(str(place)) == place, "what is printed can be typed"


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1:60", "1:2:3:4", "12,5s", "s", "1:61:00", "٣", "1e3", "9" * 30])
def test_what_is_no_place(text):
    with pytest.raises(UsageError, match="no place on the time line; give a frame"):
        Place.parse(text)


def test_a_place_may_be_one_of_numpys_numbers():
    assert Place.of(np.flatnonzero([0, 0, 1])[0]) == Place(frame=2)


@pytest.mark.parametrize("value", [1.5, True, None, -3])
def test_what_is_no_place_in_python(value):
    with pytest.raises(UsageError, match=r"no place|before the first"):
        Place.of(value)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (5, 5, "`end=5`: leaves no frame after `start=5`"),
        ("3s", "2.5s", "`end=2.5s`: is before `start=3s`"),
        (None, 0, "`end=0`: leaves no frame"),
        (4, "0s", "`end=0s`: leaves no frame"),
        ("x", None, "`start`: 'x'"),
    ],
)
def test_a_range_without_a_frame(start, end, message):
    with pytest.raises(UsageError, match=message):
        Span.of(start, end)
    with pytest.raises(UsageError, match="`every=0`"):
        Span.of(every=0)


def test_a_time_means_the_frame_that_is_shown_then():
    times = FrameTimes.of(np.array([100, 133, 167, 500, 533]), Fraction(1, 1000), 33)
    assert (len(times), times.seconds) == (5, Fraction("0.466"))
    expected = {"0s": 0, "0.033s": 1, "0.032s": 0, "0.066s": 1, "0.067s": 2, "0.4s": 3, "0.2s": 2, "0.465s": 4}
    assert {text: times.index_of(Place.parse(text), "it") for text in expected} == expected
    assert times.bound_of(Place(seconds=Fraction("0.466"))) == times.bound_of(Place(frame=5)) == 5
    for beyond in (Place(frame=5), Place(seconds=Fraction("0.466"))):
        with pytest.raises(
            UsageError, match=r"it: lies beyond the end; the source has 5 frames, 0 to 4, and lasts 0\.466"
        ):
            times.index_of(beyond, "it")
        assert not times.exceeded_by(beyond), "as the end of a range it is right"


def test_times_that_are_rounded_to_milliseconds_name_their_own_frame():
    times = FrameTimes.of(np.arange(100) * 1001, Fraction(1, 30000), 1001)
    for index, pts in enumerate(times.pts):
        written = f"{int(pts * 1000 // 30000) / 1000:.3f}s"
        assert times.index_of(Place.parse(written), "it") == index
