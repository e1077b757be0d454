import pytest

from vosctl.jobs.stretches import Stretch, joined, mirrored, stretches


@pytest.mark.parametrize(
    ("new", "earlier", "direction", "forwards", "backwards"),
    [
        # a correction of what is said in the first frame alone: to the end, and back to that
        ([(50, 1)], {1: [0]}, "both", {(50, 100)}, {(50, 0)}),
        ([(50, 1)], {1: [0]}, "forward", {(50, 100)}, set()),
        # between two: each of the frames was made of both, so that the old ones are followed anew too
        ([(50, 1)], {1: [0, 80]}, "both", {(50, 80), (0, 50)}, {(50, 0), (80, 50)}),
        ([(50, 1)], {1: [0, 80]}, "forward", {(50, 80)}, set()),
        # before all, and after all
        ([(50, 1)], {1: [80]}, "both", {(50, 80)}, {(50, -1)}),
        ([(90, 1)], {1: [0, 80]}, "both", {(90, 100)}, {(90, 80)}),
        # a new object, and two new places
        ([(50, 2)], {1: [0]}, "both", {(50, 100)}, {(50, -1)}),
        ([(50, 1), (70, 1)], {1: [0]}, "both", {(50, 70), (70, 100)}, {(50, 0), (70, 50)}),
        # said anew in the same frame
        ([(80, 1)], {1: [0, 80]}, "both", {(80, 100), (0, 80)}, {(80, 0)}),
        ([(0, 1)], {1: [0]}, "both", {(0, 100)}, {(0, -1)}),
        # beyond what is there
        ([(120, 1)], {1: [0]}, "both", set(), {(120, 0)}),
    ],
)
def test_what_is_followed_anew(new, earlier, direction, forwards, backwards):
    found = stretches(new, earlier, (-1, 100), direction)
    assert [{(one.start, one.end) for one in ways} for ways in found] == [forwards, backwards]


@pytest.mark.parametrize(
    ("new", "earlier", "direction", "forwards", "backwards"),
    [
        # the first place stays as it was: as without
        ([(50, 1)], {1: [0]}, "both", {(50, 100)}, {(50, 0)}),
        ([(90, 1)], {1: [0, 80]}, "both", {(90, 100)}, {(90, 80)}),
        ([(50, 2)], {1: [0]}, "both", {(50, 100)}, {(50, -1)}),
        # another first place: all of it
        ([(50, 1)], {1: [80]}, "both", {(50, 80), (80, 100)}, {(50, -1), (80, 50)}),
        ([(50, 1)], {1: [80]}, "forward", {(50, 80), (80, 100)}, set()),
        ([(0, 1)], {1: [0, 80]}, "both", {(0, 80), (80, 100)}, {(0, -1), (80, 0)}),
    ],
)
def test_what_is_followed_anew_where_the_first_place_counts_everywhere(new, earlier, direction, forwards, backwards):
    found = stretches(new, earlier, (-1, 100), direction, by_first=True)
    assert [{(one.start, one.end) for one in ways} for ways in found] == [forwards, backwards]


def test_a_stretch_holds_its_start_and_not_its_end():
    assert [number for number in range(9) if Stretch(1, 3, 6).holds(number)] == [3, 4, 5]
    assert [number for number in range(9) if Stretch(1, 6, 3).holds(number)] == [4, 5, 6]


@pytest.mark.parametrize(
    ("ways", "runs"),
    [
        (set(), []),
        ({(0, 10), (20, 30)}, [(0, 10), (20, 30)]),
        ({(20, 30), (0, 20)}, [(0, 30)]),  # those that meet are one
        ({(0, 30), (5, 10), (25, 40)}, [(0, 40)]),
    ],
)
def test_ways_that_meet_are_one_run(ways, runs):
    assert joined({Stretch(number, *way) for number, way in enumerate(ways)}) == runs


def test_a_way_back_is_one_forwards_with_the_frames_counted_downwards():
    back = Stretch(1, 6, 3)
    (ahead,) = mirrored([back])
    assert [-number for number in range(-9, 0) if ahead.holds(number)] == [6, 5, 4]
    assert all(back.holds(number) for number in (4, 5, 6))
