"""What can be heard of a run while it goes on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vosctl.engine.base import EngineInfo
    from vosctl.summary import LossRecord, Summary
    from vosctl.tracking.results import TrackedFrame
    from vosctl.video.frames import Frame, SourceInfo

_log = logging.getLogger("vosctl")


@dataclass(frozen=True, slots=True)
class Started:
    """A run that is about to read its first frame.

    Attributes:
        source: the video.
        engine: the engine, device and precision really used; None where a track is drawn.
        objects: how many objects are followed; None where they come later.
        frames: how many frames are expected; None where nobody knows.
    """

    source: SourceInfo
    engine: EngineInfo | None
    objects: int | None
    frames: int | None


class Events:
    """Hears of a run; override what is of interest.

    All but `warning` are called on the thread that runs the job; an exception in one of them ends the run. Warnings and
    notes go to Python's `logging`, logger "vosctl", unless they are overridden.
    """

    def started(self, start: Started) -> None:
        """Hear that the engine is loaded and the first frame is about to be read."""

    def frame(self, frame: Frame, result: TrackedFrame) -> None:
        """Hear that a frame was tracked."""

    def lost(self, frame: Frame, object_id: int) -> None:
        """Hear that an object is no longer found, from this frame on. Called before `frame`."""

    def found(self, frame: Frame, object_id: int) -> None:
        """Hear that an object that was lost is found again in this frame. Called before `frame`."""

    def note(self, line: str) -> None:
        """Hear of something that was done or chosen for the user."""
        _log.info(line)

    def warning(self, line: str) -> None:
        """Hear of something the user should know. May be called from another thread."""
        _log.warning(line)

    def kept(self, path: Path) -> None:
        """Hear what an interrupted or failed run leaves of an output."""

    def finished(self, summary: Summary) -> None:
        """Hear that the run is complete and every output has its name."""


def tell_frame(events: Events, record: LossRecord, frame: Frame, result: TrackedFrame) -> None:
    """Tell of a tracked frame: who was lost or found in it, then the frame itself."""
    lost, found = record.see(result, frame.index)
    for object_id in lost:
        events.lost(frame, object_id)
    for object_id in found:
        events.found(frame, object_id)
    events.frame(frame, result)
