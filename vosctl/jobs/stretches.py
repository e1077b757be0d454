"""The ways along which objects are followed anew where more is said of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vosctl.jobs.both_ways import Direction


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames through which an object is followed anew.

    Attributes:
        object_id: the object.
        start: the frame in which it is said.
        end: the frame at which its way ends, and which is not followed into; before `start` on a way back.
    """

    object_id: int
    start: int
    end: int

    def holds(self, number: int) -> bool:
        """Whether a frame is in it."""
        return self.start <= number < self.end or self.end < number <= self.start


def stretches(
    new: Iterable[tuple[int, int]],
    earlier: Mapping[int, Sequence[int]],
    ends: tuple[int, int],
    direction: Direction,
    *,
    by_first: bool = False,
) -> tuple[set[Stretch], set[Stretch]]:
    """Return the ways forwards and the ways back that have to be followed anew.

    Args:
        new: what is said now: frames and objects.
        earlier: by object, the frames in which anything was said of it when the track was made, rising.
        ends: the number before the first frame, and the number after the last one that is there.
        direction: which ways objects are followed.
        by_first: whether the place where an object is first said counts wherever it is followed: where that is a new
            one all its ways are followed anew.
    """
    forwards: set[Stretch] = set()
    backwards: set[Stretch] = set()
    anew = set(new)
    fresh = {key for number, key in anew if by_first and number <= min(earlier.get(key, (number,)))}
    anew |= {(number, key) for key in fresh for number in earlier.get(key, ())}
    for number, key in anew:
        old = earlier.get(key, ())
        places = sorted({*old, *(place for place, other in anew if other == key)})
        before = max((place for place in places if place < number), default=None)
        after = min((place for place in places if place > number), default=None)
        forwards.add(Stretch(key, number, ends[1] if after is None else min(after, ends[1])))
        if direction == "forward":
            continue
        backwards.add(Stretch(key, number, ends[0] if before is None else before))
        # What lay between two places was made of both, so that of neither the track has it alone.
        if before is not None and old and before < old[-1]:
            forwards.add(Stretch(key, before, min(number, ends[1])))
        if after is not None and old and after > old[0]:
            backwards.add(Stretch(key, after, number))
    return {one for one in forwards if one.start < one.end}, backwards


def mirrored(ways: Iterable[Stretch]) -> set[Stretch]:
    """Return ways back as ways forwards, with the frames counted downwards."""
    return {Stretch(one.object_id, -one.start, -one.end) for one in ways}


def joined(ways: Iterable[Stretch]) -> list[tuple[int, int]]:
    """Return the starts and ends of the runs that ways forwards come to, rising: those that meet are one."""
    runs: list[tuple[int, int]] = []
    for start, end in sorted((one.start, one.end) for one in ways):
        if runs and start <= runs[-1][1]:
            runs[-1] = runs[-1][0], max(runs[-1][1], end)
        else:
            runs.append((start, end))
    return runs
