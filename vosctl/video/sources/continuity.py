"""One continuous time for what is read from a container, where its clock steps: joined recordings, bad timestamps.

Every stream of a container that steps is shifted by the same amount, so that picture and sound stay together. The rule
looks at nothing but the times of the packets, in their order: whoever reads the same file gets the same shifts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Generic, TypeVar

_JITTER = Fraction(1, 10)
"""Seconds. Less of a step back than this is an error of rounding, not another recording."""
_FAR = Fraction(10)
"""Seconds. A longer step forward than this, of all streams at once, is another recording."""
_LOOK_AHEAD, _MOST_HELD = Fraction(2), 4000
"""Seconds and packets for which a step is looked at until all streams have taken it."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class Stamped(Generic[Item]):
    """Something with a time.

    Attributes:
        item: the packet.
        stream: the index of its stream.
        time: when it is decoded, in seconds on the source's clock; None when unknown.
        duration: in seconds, 0 when unknown.
    """

    item: Item
    stream: int
    time: Fraction | None
    duration: Fraction = Fraction(0)


@dataclass(slots=True)
class _Clock:
    """One stream: the time of its last packet and where that ends, on the source's clock, and what is added to it."""

    shift: Fraction
    last: Fraction | None = None
    end: Fraction = Fraction(0)


@dataclass(slots=True)
class Continuity(Generic[Item]):
    """Gives each packet the seconds to add to its time.

    Attributes:
        sound: the indices of the streams of which no two packets may have the same time.
        followed: the indices of the streams whose clocks are watched; others take the latest shift.
        jumps: whether a long step forward is another recording, as in broadcasts, and not just a gap.
        steps: how many times the clock has stepped.
        corrected: single packets whose time was wrong and was corrected, or that were left out for it, by stream.
    """

    sound: frozenset[int]
    followed: frozenset[int]
    jumps: bool
    steps: int = 0
    corrected: dict[int, int] = field(default_factory=dict)
    _clocks: dict[int, _Clock] = field(default_factory=dict)
    _shift: Fraction = Fraction(0)
    _held: list[Stamped[Item]] = field(default_factory=list)
    _accepted: dict[int, Fraction] = field(default_factory=dict)

    def push(self, packet: Stamped[Item]) -> Iterator[tuple[Item, Fraction]]:
        """Take the next packet; yields those that can be told the shift of, in order. One may be left out."""
        if self._held:
            self._held.append(packet)
            yield from self._settle(at_end=False)
        elif packet.stream in self.followed and id(packet) not in self._accepted and self._is_odd(packet):
            self._held.append(packet)
        else:
            yield self._pass(packet)

    def finish(self) -> Iterator[tuple[Item, Fraction]]:
        """Return the packets that are still held back, at the end."""
        while self._held:
            yield from self._settle(at_end=True)

    def _pass(self, packet: Stamped[Item]) -> tuple[Item, Fraction]:
        if packet.stream not in self.followed:
            return packet.item, self._shift
        clock = self._clocks.setdefault(packet.stream, _Clock(self._shift))
        accepted = self._accepted.pop(id(packet), None)
        if accepted is not None:
            clock.shift = accepted
        if packet.time is not None:
            clock.last, clock.end = packet.time, packet.time + packet.duration
        return packet.item, clock.shift

    def _is_odd(self, packet: Stamped[Item]) -> bool:
        clock = self._clocks.get(packet.stream)
        if clock is None or clock.last is None or packet.time is None:
            return False
        repeats = packet.stream in self.sound and packet.time <= clock.last
        return repeats or self._has_stepped(packet)

    def _has_stepped(self, packet: Stamped[Item]) -> bool:
        clock = self._clocks.get(packet.stream)
        if clock is None or clock.last is None or packet.time is None:
            return False
        if packet.time < clock.last - _JITTER:
            return True
        # Where another stream has reached that time there was just nothing to show meanwhile.
        latest = max(other.end + other.shift for other in self._clocks.values()) - clock.shift
        return self.jumps and packet.time > latest + _FAR

    def _settle(self, *, at_end: bool) -> Iterator[tuple[Item, Fraction]]:
        """Decide on the packets held, the first of which is odd, once enough of them are there."""
        first, *others = self._held
        assert first.time is not None
        following = next((p.time for p in others if p.stream == first.stream and p.time is not None), None)
        if following is None and not at_end and len(self._held) < _MOST_HELD:
            return
        clock = self._clocks[first.stream]
        assert clock.last is not None
        stepped = self._has_stepped(first)
        if not stepped or (following is not None and self._goes_on(clock.last, first.time, following)):
            yield from self._mend(first, clock, following)
        elif not self._decide(first, at_end):
            return
        rest, self._held = self._held, []
        for packet in rest:
            yield from self.push(packet)

    def _goes_on(self, last: Fraction, odd: Fraction, following: Fraction) -> bool:
        """Return whether the packet after an odd one goes on from the one before it."""
        return last < following <= last + _FAR and (odd <= last or following < odd)

    def _mend(
        self, packet: Stamped[Item], clock: _Clock, following: Fraction | None
    ) -> Iterator[tuple[Item, Fraction]]:
        """Put a packet right after the one before it, if there is room for it before the next."""
        assert packet.time is not None
        del self._held[0]
        self.corrected[packet.stream] = self.corrected.get(packet.stream, 0) + 1
        if following is not None and following - clock.end < packet.duration / 2:
            return
        shift = clock.shift + clock.end - packet.time
        clock.last, clock.end = clock.end, clock.end + packet.duration
        yield packet.item, shift

    def _decide(self, first: Stamped[Item], at_end: bool) -> bool:
        """Find the shift that continues all streams; False while some of them have not come to the step yet."""
        assert first.time is not None
        if self._joins_latest(first):
            self._accepted[id(first)] = self._shift
            return True
        crossing: dict[int, Stamped[Item]] = {}
        for packet in self._held:
            if packet.stream in self.followed and packet.stream not in crossing and self._has_stepped(packet):
                crossing[packet.stream] = packet
        reached = max(p.time for p in self._held if p.stream == first.stream and p.time is not None)
        waited = at_end or reached - first.time > _LOOK_AHEAD or len(self._held) >= _MOST_HELD
        if not waited and not self._active() <= crossing.keys():
            return False
        self._shift = max(self._continued(packet) for packet in crossing.values())
        for packet in crossing.values():
            self._accepted[id(packet)] = self._shift
        self.steps += 1
        return True

    def _continued(self, packet: Stamped[Item]) -> Fraction:
        """Return what to add to a packet's time so that it follows the one before it."""
        assert packet.time is not None
        clock = self._clocks[packet.stream]
        return clock.end + clock.shift - packet.time

    def _joins_latest(self, packet: Stamped[Item]) -> bool:
        """Return whether the shift that other streams have taken puts a packet where they are."""
        assert packet.time is not None
        clock = self._clocks[packet.stream]
        now = max(other.end + other.shift for other in self._clocks.values())
        return clock.shift != self._shift and abs(packet.time + self._shift - now) < _LOOK_AHEAD

    def _active(self) -> set[int]:
        """Return the streams that have not ended, as far as one can tell."""
        ends = {stream: clock.end + clock.shift for stream, clock in self._clocks.items() if clock.last is not None}
        return {stream for stream, end in ends.items() if end > max(ends.values()) - _LOOK_AHEAD}
