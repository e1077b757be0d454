"""Objects that are said more than once: where they are first said is kept beside where they are said last.

A run forwards comes by the first place by itself. One that begins elsewhere, or goes backwards, has to be shown it, so
that what is found between two places does not depend on what was followed in which order.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vosctl.interrupts import check
from vosctl.prompts.first_objects import Tell
from vosctl.prompts.places import frame_at
from vosctl.prompts.schedule import Schedule
from vosctl.tracking import Tracker
from vosctl.video.sources import Source


def show_first(tracker: Tracker, source: Source, schedule: Schedule) -> None:
    """Show a tracker the objects that are said more than once in the frames where they are first said.

    Args:
        tracker: to be started afterwards.
        source: seekable; it is at its first frame afterwards.
        schedule: what is said when, looked at.

    Raises:
        VosctlError: the source cannot be read.
        KeyboardInterrupt: interrupted.
    """
    if tracker.one_reference:
        return
    anchors = schedule.anchors()
    several = {key for key, places in schedule.places().items() if len(places) > 1}
    for number, said in anchors.items():
        new = several.intersection(said)
        labels = schedule.drawn({key: packed.mask for key, packed in said.items()}, number)
        if not new or labels is None:
            continue
        check()
        frame = frame_at(source, number)
        if frame is None:  # lost in a damaged video: the next place is the first one then
            continue
        several -= new
        for key in sorted(new):
            tracker.show(frame.picture, np.asarray(labels == key), key)
    source.seek(schedule.first or 0)


def tell_of_one_reference(tracker: Tracker, schedule: Schedule, note: Tell) -> None:
    """Say why a correction takes the place of what was said before, unless that was asked for.

    Args:
        tracker: for the objects.
        schedule: what is said when.
        note: told of it.
    """
    again = any(len(places) > 1 for places in schedule.places().values())
    if again and tracker.one_reference and tracker.settings.references > 1:
        note(f"{tracker.one_reference}; a correction takes the place of what was said of it before")


def tell_of_first_left_out(tracker: Tracker, number: int, again: Iterable[int], note: Tell) -> None:
    """Say which objects are known by what was said of them last alone, as what was first said shows something else.

    Args:
        tracker: at the frame.
        number: the frame's.
        again: the objects that are said in it, and were said before.
        note: told of it.
    """
    if tracker.one_reference:
        return
    for key in sorted(again):
        if tracker.references.get(key) == 1:
            note(f"object {key}: where it was first said something else is marked than in frame {number}; left aside")
