"""Saying more of the objects of a track: only the frames that it changes are followed anew, the rest stays.

An object is followed from each new place to the next one where it is said, or to the end, and back to the one before.
Where the track's own frames between two places were put together from both of them (`vosctl.jobs.blending`), the old
one is followed anew too. What the track has of the other objects guides nothing but their share of the pixels: they are
followed along from its masks, and stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from vosctl.errors import UsageError
from vosctl.interrupts import check
from vosctl.jobs.blending import Part, only, put_together, share_ahead
from vosctl.jobs.both_ways import every_of
from vosctl.jobs.recording import direction_of, said_of, scheduled
from vosctl.jobs.references import show_first, tell_of_first_left_out, tell_of_one_reference
from vosctl.jobs.stretches import Stretch, joined, mirrored, stretches
from vosctl.prompts.choices import ChoiceAt, chosen, frames_asked
from vosctl.prompts.entries import Entry
from vosctl.prompts.first_objects import Tell
from vosctl.prompts.schedule import Schedule
from vosctl.prompts.timed import TimedPrompt
from vosctl.tracking import TrackedFrame, Tracker
from vosctl.tracking.edits import nothing_tracked
from vosctl.tracking.keeping import TrackerState
from vosctl.tracks import Track
from vosctl.tracks.changing import TrackChange
from vosctl.tracks.packed import PackedResult
from vosctl.types import Labels, Mask
from vosctl.video.backwards import frames_backwards
from vosctl.video.frames import Frame
from vosctl.video.sources import Source
from vosctl.video.sources.base import NOT_SEEKABLE

Hear = Callable[[Frame, TrackedFrame], None]
"""Told of each frame that was followed into."""


class Correction:
    """What more is said of the objects of a track.

    Args:
        track: with at least one frame.
        numbers: in the track, of each frame that it holds.
        source: the part of the video that it is of; seekable.
        tracker: for its objects; started anew.
        earlier: what was said of them when the track was made.
        new: what is said now, looked at.
        union: both, without what was said in a frame in which it is said anew.
        state: that a run that was stopped is gone on with: the number of the frame after which it is, and the state.
        note: told what of it is left aside.

    Attributes:
        forwards: the ways forwards that are followed anew.
        backwards: the ways back.

    Raises:
        UsageError: an object would be wholly covered by others that are said in the same frame.
    """

    def __init__(
        self,
        track: Track,
        numbers: Mapping[int, int],
        source: Source,
        tracker: Tracker,
        earlier: Schedule,
        new: Schedule,
        union: Schedule,
        state: tuple[int, TrackerState] | None,
        note: Tell,
    ) -> None:
        self._track, self._numbers = track, numbers
        self._source, self._tracker, self._union = source, tracker, union
        self._first, self._every = union.first or 0, every_of(source)
        self._direction = direction_of(track.header)
        self._anchors, self._said = union.anchors(), union.places()
        fresh = [(number, key) for number, said in new.anchors().items() for key in said]
        for number, _ in fresh:
            self._given(number)
        ends = self._first - self._every, max(numbers) + self._every
        by_first = not tracker.one_reference
        self.forwards, self.backwards = stretches(fresh, earlier.places(), ends, self._direction, by_first=by_first)
        self._state, self._note = state, note

    @property
    def objects(self) -> int:
        """How many objects anything is said of."""
        return len(self._said)

    @property
    def frames(self) -> int:
        """How many times a frame is followed into."""
        return sum(
            (end - start) // self._every for start, end in (*joined(self.forwards), *joined(mirrored(self.backwards)))
        )

    def run(self, hear: Hear) -> TrackChange:
        """Follow the objects, and return what is to be another in the track.

        Raises:
            VosctlError: the source cannot be read.
            KeyboardInterrupt: interrupted.
        """
        show_first(self._tracker, self._source, self._union)
        back = dict(self._follow(self._backward_frames(), self.backwards, hear))
        ahead = dict(self._follow(self._forward_frames(), self.forwards, hear))
        results = {}
        for index in sorted({*ahead, *back}):
            number = self._numbers.get(index)
            if number is not None:
                check()
                results[number] = PackedResult.of(self._put_together(index, number, ahead, back))
        header = self._track.header
        accept = header.said.get("accept_doubtful") is True
        header = replace(header, said=said_of(self._union, self._direction, accept))
        return TrackChange(header, len(self._numbers), results, self._state)

    def _forward_frames(self) -> Iterator[tuple[Frame, bool]]:
        """Yield the frames of the ways forwards, and whether each begins a new run."""
        for start, end in joined(self.forwards):
            self._source.seek(start)
            begins = True
            for frame in self._source:
                if frame.index >= end:
                    break
                yield frame, begins
                begins = False

    def _backward_frames(self) -> Iterator[tuple[Frame, bool]]:
        for start, end in joined(mirrored(self.backwards)):
            numbers = range(-end + self._every, -start + self._every, self._every)
            begins = True
            for frame in frames_backwards(self._source, numbers):
                yield frame, begins
                begins = False

    def _follow(
        self, frames: Iterator[tuple[Frame, bool]], ways: set[Stretch], hear: Hear
    ) -> Iterator[tuple[int, PackedResult]]:
        """Follow into frames; yield the results of the objects that are followed anew there, by the frame's number."""
        waits = True
        for frame, begins in frames:
            check()
            given = self._given(frame.index)
            if (waits := waits or begins) and given is None:
                continue  # the frame in which it is said is lost in a damaged video
            if waits:
                result = self._tracker.start(frame.picture, self._others(frame.index, given))
            else:
                result = self._tracker.step(frame.picture, given)
            waits = False
            hear(frame, result)
            if ways is self.forwards:
                again = [key for key in self._anchors.get(frame.index, ()) if self._said[key][0] < frame.index]
                tell_of_first_left_out(self._tracker, frame.index, again, self._note)
            if ways is self.forwards and self._state is not None and self._numbers.get(frame.index) == self._state[0]:
                self._state = self._changed(frame.index, *self._state)
            yield frame.index, PackedResult.of(only(result, {one.object_id for one in ways if one.holds(frame.index)}))

    def _given(self, index: int) -> Labels | None:
        """Return the ids of the objects that are said in a frame; None where there is none."""
        return self._union.drawn({key: one.mask for key, one in self._anchors.get(index, {}).items()}, index)

    def _others(self, index: int, given: Labels | None) -> Labels:
        """Return the objects that a run begins with: those that are said, and the track's others beside them."""
        assert given is not None
        number = self._numbers.get(index)
        if number is None:
            return given
        there = self._track[number].labels
        said = np.zeros(256, np.bool_)
        said[list(self._anchors[index])] = True
        return np.where((given == 0) & ~said[there], there, given)

    def _put_together(
        self, index: int, number: int, ahead: Mapping[int, PackedResult], back: Mapping[int, PackedResult]
    ) -> TrackedFrame:
        """Return a frame, that of a number in the track, with what was found of it anew."""
        base = self._track[number]
        nothing = nothing_tracked(*base.labels.shape)
        runs = [run[index].unpack() if index in run else nothing for run in (ahead, back)]
        parts: dict[int, Part] = {}
        for key in sorted({one.id for result in (base, *runs) for one in result.objects}):
            anew = [result.find(key) for result in runs]
            if anew == [None, None]:
                parts[key] = Part(base, base, 1.0)
                continue
            taken = [base if one is None else result for one, result in zip(anew, runs, strict=True)]
            found = [result.find(key) for result in taken]
            said = (
                self._said[key] if self._direction == "both" else [place for place in self._said[key] if place <= index]
            )
            share = share_ahead(said, index, *found)
            if share is not None:
                parts[key] = Part(taken[0], taken[1], share)
        return put_together(parts) if parts else nothing

    def _changed(self, index: int, number: int, old: TrackerState) -> tuple[int, TrackerState] | None:
        """Return the state that a run that was stopped is gone on with, with the objects as they are followed anew."""
        now = self._tracker.keep()
        if now is None:
            return None
        anew = {one.object_id for one in self.forwards if one.holds(index)}
        objects = {**old.objects, **{key: now.objects[key] for key in anew}}
        return number, replace(old, objects=dict(sorted(objects.items())))


def correction(
    track: Track,
    source: Source,
    tracker: Tracker,
    prompts: Sequence[TimedPrompt],
    *,
    choices: Sequence[ChoiceAt] = (),
    fix_mask: bool = False,
    accept_doubtful: bool = False,
    note: Tell,
    warn: Tell,
) -> Correction:
    """Find out what more is said of the objects of a track, and check it.

    Args:
        track: with at least one frame.
        source: the part of the video that it is of.
        tracker: for its objects; started anew.
        prompts: what is said; clicks alone correct the masks that the track has.
        choices: frames in which somebody is asked, and shown the masks that the track has.
        fix_mask: whether mask files may be repaired.
        accept_doubtful: whether to go on with doubtful masks from boxes and clicks.
        note: see `Schedule`.
        warn: see `Schedule`.

    Raises:
        UsageError: it cannot be served.
        VosctlError: a mask cannot be read, what was found is doubtful and that is not accepted, or nothing was chosen.
    """
    if not source.is_seekable:
        raise UsageError(f"{source.info.name}: {NOT_SEEKABLE}")
    earlier = scheduled(track, source, note, warn)
    numbers = _numbers_in(track)

    def known(index: int, object_id: int) -> Mask | None:
        result = track[numbers[index]] if index in numbers else None
        if result is None or result.find(object_id) is None:
            return None
        return np.asarray(result.labels == object_id)

    for number in _lost(earlier, numbers):
        earlier.pass_over(number)
    earlier.settle_as(known)
    asked = frames_asked(source, choices, [one.at for one in prompts])
    new = Schedule(
        source, prompts, fix_mask=fix_mask, accept_doubtful=accept_doubtful, note=note, warn=warn, known=known
    )
    new.add(_chosen(track, source, asked, numbers, earlier.ids | new.ids))
    _check_reached(track, new.said_after(last := max(numbers)), last)
    for number in _lost(new, numbers):
        raise UsageError(f"{track.path}: holds no frame {number}, which was too damaged; say it of another frame")
    new.look()
    if not new.ids:
        raise UsageError(f"{track.path}: nothing is left to correct it with; see the warnings")
    again = {(number, key) for key, places in new.places().items() for number in places}
    kept = [one for one in earlier.prompts if one.at is None or (one.at.frame, one.object_id) not in again]
    for number, key in sorted(again.intersection((number, key) for key, n in earlier.places().items() for number in n)):
        note(f"object {key} was said in frame {number} already; what is said now takes its place")
    union = Schedule(source, [*kept, *new.prompts], note=note, warn=warn)
    tell_of_one_reference(tracker, union, note)
    return Correction(track, numbers, source, tracker, earlier, new, union, _state_of(track, warn), note)


def _chosen(
    track: Track, source: Source, asked: Mapping[int, ChoiceAt], numbers: Mapping[int, int], ids: Collection[int]
) -> tuple[TimedPrompt, ...]:
    """Return what somebody says who is asked, beside what the track has."""
    last = max(numbers)
    for number, choice in asked.items():
        if number > last and track.complete:
            raise UsageError(f"{choice}: lies beyond the track, whose last frame is {last}")
        if number < last and number not in numbers:
            raise UsageError(f"{choice}: {track.path} holds no frame {number}, which was too damaged; give another")

    def labels(index: int) -> Labels:
        if index in numbers:
            return track[numbers[index]].labels
        return np.zeros((track.header.height, track.header.width), np.uint8)

    return chosen(source, asked, labels, ids)


def _numbers_in(track: Track) -> dict[int, int]:
    """Return the number in a track of each frame that it holds: some may have been lost in a damaged video."""
    return {kept.index: number for number, kept in enumerate(track.frames())}


def _lost(schedule: Schedule, numbers: Mapping[int, int]) -> list[int]:
    """Return the frames before the last one of a track in which something is said, and which it does not hold."""
    said = {number for places in schedule.places().values() for number in places}
    last = max(numbers)
    return sorted(number for number in said if number < last and number not in numbers)


def _state_of(track: Track, warn: Tell) -> tuple[int, TrackerState] | None:
    """Return the state that a run that was stopped is gone on with; one that is damaged is told and left."""
    try:
        return None if track.complete else track.state()
    except ValueError as error:
        warn(f"{track.path}: {error}; the frames are tracked again from the first on")
        return None


def _check_reached(track: Track, beyond: Sequence[Entry], last: int) -> None:
    for entry in beyond:
        if track.complete:
            raise UsageError(f"{entry.what}: lies beyond the track, whose last frame is {last}")
        if entry.only_corrects:
            raise UsageError(
                f"{entry.what}: lies beyond what is tracked, whose last frame is {last}; points alone correct what is "
                "there, give a box or a mask"
            )
