"""Following objects that are said at several places of the time line."""

from __future__ import annotations

import numpy as np

from vosctl.prompts.schedule import Schedule
from vosctl.tracking import TrackedFrame, Tracker
from vosctl.tracking.edits import nothing_tracked
from vosctl.video.frames import Frame


class PromptedTracker:
    """Follows the objects of a schedule forwards, each from its first prompt on; the later ones correct it.

    Args:
        tracker: not started yet.
        schedule: what is said when.
    """

    def __init__(self, tracker: Tracker, schedule: Schedule) -> None:
        self._tracker, self._schedule = tracker, schedule
        self._started = False

    def follow(self, frame: Frame) -> TrackedFrame:
        """Follow the objects into the next frame, and take in what is said of it.

        Raises:
            UsageError: what is said does not fit the frame.
            VosctlError: what was found for it is doubtful and that is not accepted.
        """
        labels, corrections = self._schedule.at(frame)
        if not self._started:
            if labels is None:
                return nothing_tracked(frame.picture.shape[0], frame.picture.shape[1])
            self._started = True
            return self._tracker.start(frame.picture, labels)
        result = self._tracker.step(frame.picture, labels)
        for object_id, entry in corrections.items():
            mask = self._schedule.corrected(frame, entry, np.asarray(result.labels == object_id))
            if mask is not None:
                result = self._tracker.add(frame.picture, mask, object_id)
        return result
