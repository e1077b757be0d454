"""Following objects both ways: forwards and backwards from what is said of them, to where the next is said.

The backward run comes first. Its results are kept as run lengths and packed mattes; then the video is followed forwards
as always, and each frame is put together from both (`vosctl.jobs.blending`).
"""

from __future__ import annotations

import time
from typing import Literal

from vosctl.errors import UsageError
from vosctl.interrupts import check
from vosctl.jobs.blending import Part, put_together, share_ahead
from vosctl.jobs.prompted import PromptedTracker
from vosctl.jobs.references import show_first
from vosctl.prompts.first_objects import Tell
from vosctl.prompts.schedule import Schedule
from vosctl.tracking import TrackedFrame, Tracker
from vosctl.tracks.packed import PackedResult
from vosctl.video.backwards import frames_backwards
from vosctl.video.frames import Frame
from vosctl.video.sources import RangedSource, Source

Direction = Literal["both", "forward"]
"""Which ways objects are followed from what is said of them."""


def every_of(source: Source) -> int:
    """Return by how much the numbers of a source's frames rise."""
    return source.every if isinstance(source, RangedSource) else 1


def reaches_back(schedule: Schedule) -> bool:
    """Whether there is anything to follow backwards: a mask after the first frame."""
    return any(number > (schedule.first or 0) for number in schedule.anchors())


def follow_backwards(
    tracker: Tracker, source: Source, schedule: Schedule, down_to: int | None = None
) -> dict[int, PackedResult]:
    """Follow the objects from the last frame in which one is said back to the first frame.

    Args:
        tracker: started anew; a later start forgets what is done here.
        source: seekable; it is at its first frame afterwards.
        schedule: what is said when, looked at; clicks that correct what is followed are not known yet, and left out.
        down_to: the frame at which to end; None for the first.

    Returns:
        The result of each frame, by its number.

    Raises:
        UsageError: all that is said is of frames that are lost in a damaged video.
        VosctlError: the source cannot be read.
        KeyboardInterrupt: interrupted.
    """
    anchors = schedule.anchors()
    first = schedule.first or 0
    numbers = [number for number in range(first, max(anchors) + 1, every_of(source)) if number >= (down_to or 0)]
    show_first(tracker, source, schedule)
    kept: dict[int, PackedResult] = {}
    for frame in frames_backwards(source, numbers):
        check()
        masks = {key: packed.mask for key, packed in anchors.get(frame.index, {}).items()}
        labels = schedule.drawn(masks, frame.index)
        if kept:
            result = tracker.step(frame.picture, labels)
        elif labels is not None:
            result = tracker.start(frame.picture, labels)
        else:  # the frame in which it is said is lost in a damaged video
            continue
        kept[frame.index] = PackedResult.of(result)
        if labels is not None:
            schedule.use(frame.index)
    for number in sorted(anchors):
        if number >= (down_to or 0) and number not in kept:
            schedule.pass_over(number)
    if not schedule.ids:
        raise UsageError(f"{source.info.name}: nothing is left to follow; see the warnings")
    source.seek(first)
    return kept


class Joining:
    """Puts each frame of a run forwards together with that of a run backwards.

    Args:
        backwards: the results of the run backwards, by the frame's number; each is dropped once it was used.
        schedule: what is said when.
    """

    def __init__(self, backwards: dict[int, PackedResult], schedule: Schedule) -> None:
        self._backwards = backwards
        self._said: dict[int, list[int]] = {}
        for number, said in schedule.anchors().items():
            for key in said:
                self._said.setdefault(key, []).append(number)

    def __call__(self, frame: Frame, result: TrackedFrame) -> TrackedFrame:
        """Return a frame, of which the forward run's result is known now."""
        packed = self._backwards.pop(frame.index, None)
        if packed is None:
            return result
        ahead, back = ({one.id: one for one in objects} for objects in (result.objects, packed.objects))
        shares = {
            key: share_ahead(self._said.get(key, ()), frame.index, ahead.get(key), back.get(key))
            for key in {**ahead, **back}
        }
        if all(share == 1 or share is None for share in shares.values()):
            return result
        other = packed.unpack()
        return put_together({key: Part(result, other, share) for key, share in shares.items() if share is not None})


def settle_clicks(tracker: Tracker, source: Source, schedule: Schedule) -> None:
    """Find the masks that clicks make of what is followed, so that it is followed backwards from them too.

    They correct what a run both ways without them shows, one after the other. The last of them is where it ends.

    Args:
        tracker: started anew; a later start forgets what is done here.
        source: seekable, at any frame; it is at its first frame afterwards.
        schedule: what is said when, looked at.

    Raises:
        UsageError: a click lies outside the frame.
        VosctlError: what was found is doubtful and that is not accepted, or the source cannot be read.
        KeyboardInterrupt: interrupted.
    """
    backwards = follow_backwards(tracker, source, schedule) if reaches_back(schedule) else {}
    run = PromptedTracker(tracker, schedule, Joining(backwards, schedule))
    last = max(schedule.corrections)
    source.seek(schedule.first or 0)  # a box or a click of the first frame was found in it
    for frame in source:
        check()
        run.follow(frame)
        if frame.index >= last:
            break
    source.seek(schedule.first or 0)


def goes_back(source: Source, schedule: Schedule, note: Tell) -> bool:
    """Whether objects are to be followed backwards too; a source that cannot be read backwards is told to `note`."""
    if not schedule.corrections and not reaches_back(schedule):
        return False
    if not source.is_seekable:
        note(f"{source.info.name}: cannot be read backwards; its objects are followed forwards only")
    return source.is_seekable


def begin_both_ways(
    tracker: Tracker, source: Source, schedule: Schedule, note: Tell, down_to: int | None = None
) -> Joining:
    """Follow objects backwards, for a run forwards that is to be joined with it.

    Args:
        tracker: to be started, or restored, afterwards.
        source: seekable; it is at its first frame afterwards.
        schedule: what is said when, looked at.
        note: told how far and how fast it went.
        down_to: the frame at which to end; None for the first.

    Raises:
        VosctlError: the source cannot be read, or what clicks come to is doubtful and that is not accepted.
        KeyboardInterrupt: interrupted.
    """
    if schedule.corrections:
        settle_clicks(tracker, source, schedule)
    begun = time.perf_counter()
    backwards = follow_backwards(tracker, source, schedule, down_to) if reaches_back(schedule) else {}
    if backwards:
        frames, seconds = len(backwards), time.perf_counter() - begun
        counted = f"{frames} frame{'s' if frames != 1 else ''}"
        note(f"Followed backwards through {counted}, {frames / seconds:.1f} fps")
    return Joining(backwards, schedule)
