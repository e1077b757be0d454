"""The frames of a track that is gone on with: those it holds, then those that are tracked."""

from __future__ import annotations

import time
from collections.abc import Callable

from vosctl.errors import VosctlError
from vosctl.jobs.prompted import Join, PromptedTracker
from vosctl.pipeline import LatencyHistogram
from vosctl.prompts.schedule import Schedule
from vosctl.tracking import Tracker
from vosctl.tracking.results import TrackedFrame
from vosctl.tracks import Track
from vosctl.video.frames import Frame


class ResumedTracker:
    """Gives the frames that a track holds, and has a tracker go on where they end.

    The tracker takes over after the last frame whose state was kept. From there to the end of the track it tracks
    again, to get into the state it was in, and what the track says of these frames is given. A track without a state (a
    network with a memory, the paper's protocol, one stopped early) has its tracker start at the first frame.

    Args:
        tracker: not started yet.
        track: closed when its last frame was given.
        schedule: what is said when.
        join: see `PromptedTracker`; for frames that the track does not hold.
        warn: told when a state that was kept cannot be used.

    Attributes:
        schedule: as given.
        known: frames that the track holds.
        after: the frame after which the tracker takes over; -1 where it starts at the first.
        latency: of the frames that are tracked.
    """

    def __init__(
        self, tracker: Tracker, track: Track, schedule: Schedule, join: Join | None, warn: Callable[[str], None]
    ) -> None:
        self._track, self.schedule = track, schedule
        self.known = len(track)
        self.after = -1
        self.latency = LatencyHistogram()
        self._count = 0
        header = track.header
        try:
            kept = track.state()
            if kept is not None:
                tracker.restore(kept[1], header.height, header.width)
                self.after = kept[0]
        except ValueError as error:
            warn(f"{track.path}: {error}; the frames are tracked again from the first on")
        self._run = PromptedTracker(tracker, schedule, join, started=self.after >= 0)

    def follow(self, frame: Frame) -> TrackedFrame:
        """Give the next frame's result.

        Raises:
            VosctlError: what is said of it does not fit or is doubtful, or the track is damaged.
        """
        number, self._count = self._count, self._count + 1
        if number <= self.after:
            self.schedule.reach(frame)
            if number >= self.known:  # a state of a frame that is not there
                raise VosctlError(f"{self._track.path}: frame {number} is missing; track the video again")
            return self._track[number]
        begun = time.perf_counter()
        tracked = self._run.follow(frame)
        self.latency.add(time.perf_counter() - begun)
        if number < self.known:
            return self._track[number]
        self._track.close()
        return tracked
