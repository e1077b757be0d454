"""Following objects that are said at several places of the time line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vosctl.jobs.references import tell_of_first_left_out
from vosctl.prompts.first_objects import Tell
from vosctl.prompts.schedule import Schedule
from vosctl.prompts.timed import ids_of
from vosctl.tracking import TrackedFrame, Tracker
from vosctl.tracking.edits import nothing_tracked, with_masks
from vosctl.types import Labels
from vosctl.video.frames import Frame

Join = Callable[[Frame, TrackedFrame], TrackedFrame]
"""Gives what is shown of a frame, of the frame and what a run forwards has of it."""


class PromptedTracker:
    """Follows the objects of a schedule forwards, each from its first prompt on; the later ones correct it.

    Args:
        tracker: not started yet, unless `started`.
        schedule: what is said when.
        join: gives what is shown of a frame, of the frame and the tracker's result; clicks correct what is shown.
        note: told which of what was said before is left aside.
        started: whether the tracker goes on after a frame.
    """

    def __init__(
        self,
        tracker: Tracker,
        schedule: Schedule,
        join: Join | None = None,
        note: Tell | None = None,
        *,
        started: bool = False,
    ) -> None:
        self._tracker, self._schedule, self._join, self._note = tracker, schedule, join, note
        self._started = started

    def follow(self, frame: Frame) -> TrackedFrame:
        """Follow the objects into the next frame, and take in what is said of it.

        Raises:
            UsageError: what is said does not fit the frame.
            VosctlError: what was found for it is doubtful and that is not accepted.
        """
        labels, corrections = self._schedule.at(frame)
        known = self._tracker.objects if self._started else ()
        result = self._tracked(frame, labels)
        shown = result if self._join is None else self._join(frame, result)
        for object_id, entry in corrections.items():
            mask = self._schedule.corrected(frame, entry, np.asarray(shown.labels == object_id))
            if mask is None:
                self._schedule.leave_out(frame.index, object_id)
            else:
                self._schedule.settle(frame.index, object_id, mask)
                self._tracker.add(frame.picture, mask, object_id)
                shown = with_masks(shown, {object_id: mask})
        if self._note is not None and (labels is not None or corrections):
            said = [*([] if labels is None else ids_of(labels)), *corrections]
            tell_of_first_left_out(self._tracker, frame.index, set(said).intersection(known), self._note)
        return replace(shown, state=result.state) if shown.state is not result.state and not corrections else shown

    def _tracked(self, frame: Frame, labels: Labels | None) -> TrackedFrame:
        if self._started:
            return self._tracker.step(frame.picture, labels)
        if labels is None:
            return nothing_tracked(frame.picture.shape[0], frame.picture.shape[1])
        self._started = True
        return self._tracker.start(frame.picture, labels)
